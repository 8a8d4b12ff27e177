import type { FrameMeta, LinkEnd, Ps } from '@vhostlab/engine';
import { FCS_BYTES, MIN_WIRE_FRAME_BYTES, WIRE_OVERHEAD_BYTES } from '@vhostlab/workload';

/**
 * Bytes' worth of wire time of a frame: padding, FCS, preamble and gap included. `wireLength` is the frame's length on
 * the wire with FCS when the captured bytes are fewer, else 0.
 */
export function wireTimeBytes(length: number, wireLength: number): number {
  const bytes = wireLength > 0 ? wireLength : length + FCS_BYTES;
  return (bytes < MIN_WIRE_FRAME_BYTES ? MIN_WIRE_FRAME_BYTES : bytes) + WIRE_OVERHEAD_BYTES;
}

/**
 * Sending side of an Ethernet port: frames leave one after the other at line rate. So that a busy wire does not wake
 * the other port for every frame, frames become visible at the end of the window in which they arrive; `aux` says how
 * many picoseconds before that they really were there.
 */
export class WireSender {
  frames = 0;
  /** Bytes with FCS, as `--size` counts. */
  bytes = 0;
  readonly #link: LinkEnd;
  readonly #psPerByte: number;
  readonly #windowPs: Ps;
  #freePs: Ps = 0;

  constructor(link: LinkEnd, rateGbps: number, windowPs: Ps) {
    if (!(rateGbps > 0)) throw new RangeError(`a wire of ${rateGbps} Gbit/s`);
    this.#link = link;
    this.#psPerByte = 8000 / rateGbps;
    this.#windowPs = windowPs;
  }

  /** Moment at which the wire is free for the next frame. */
  get freePs(): Ps {
    return this.#freePs;
  }

  /** Frames that the other port has room for. */
  room(): number {
    return this.#link.free();
  }

  /**
   * Sends a frame that is ready at `atPs`; answers the moment at which its last bit has left, or -1 when the other port
   * has no room (nothing is sent then). Changes `meta.aux`.
   */
  send(offset: number, length: number, meta: FrameMeta, atPs: Ps): number {
    const start = atPs > this.#freePs ? atPs : this.#freePs;
    const done = start + Math.round(wireTimeBytes(length, meta.wireLength) * this.#psPerByte);
    const visible = Math.ceil(done / this.#windowPs) * this.#windowPs;
    meta.aux = visible - done;
    if (!this.#link.send(offset, length, meta, visible)) return -1;
    this.#freePs = done;
    this.frames++;
    this.bytes += meta.wireLength > 0 ? meta.wireLength : length + FCS_BYTES;
    return done;
  }
}

/** Moment at which the link's current frame arrived on the wire. */
export function arrivalPs(link: LinkEnd): Ps {
  return link.atPs - link.meta.aux;
}
