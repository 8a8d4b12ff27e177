import type { FrameMeta, LinkEnd, Ps } from '@vhostlab/engine';
import { FCS_BYTES } from '@vhostlab/workload';
import { markFcs } from './link/frame-check.ts';
import type { Impairments } from './link/impairments.ts';
import { wireTimeBytes } from './wire-time.ts';

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
  readonly #impairments: Impairments | undefined;
  #freePs: Ps = 0;

  /** `impairments`: what the link does to its frames this way. */
  constructor(link: LinkEnd, rateGbps: number, windowPs: Ps, impairments?: Impairments) {
    if (!(rateGbps > 0)) throw new RangeError(`a wire of ${rateGbps} Gbit/s`);
    this.#link = link;
    this.#psPerByte = 8000 / rateGbps;
    this.#windowPs = windowPs;
    this.#impairments = impairments;
  }

  /** Moment at which the wire is free for the next frame. */
  get freePs(): Ps {
    return this.#freePs;
  }

  /** Frames that the other port has room for. */
  room(): number {
    return this.#impairments?.active === true ? Number.POSITIVE_INFINITY : this.#link.free();
  }

  /**
   * Sends a frame that is ready at `atPs`; answers the moment at which its last bit has left, or -1 when the other port
   * has no room (nothing is sent then). Changes `meta.aux`.
   */
  send(offset: number, length: number, meta: FrameMeta, atPs: Ps): number {
    const start = atPs > this.#freePs ? atPs : this.#freePs;
    const done = start + Math.round(wireTimeBytes(length, meta.wireLength) * this.#psPerByte);
    const impairments = this.#impairments;
    if (impairments === undefined) {
      if (!this.#put(offset, length, meta, done)) return -1;
    } else {
      const through = impairments.pass(offset, length, meta, start, done);
      if (through >= 0) {
        if (impairments.carriesFcs) markFcs(meta, true);
        const isSent = this.#put(impairments.offset, impairments.length, meta, through);
        markFcs(meta, false);
        if (!isSent) {
          if (!impairments.active) return -1;
          impairments.overflow();
        }
      }
    }
    this.#freePs = done;
    this.frames++;
    this.bytes += meta.wireLength > 0 ? meta.wireLength : length + FCS_BYTES;
    return done;
  }

  /** Puts a frame on the link that is through at `atPs`; false when there is no room. */
  #put(offset: number, length: number, meta: FrameMeta, atPs: Ps): boolean {
    const visible = Math.ceil(atPs / this.#windowPs) * this.#windowPs;
    meta.aux = visible - atPs;
    return this.#link.send(offset, length, meta, visible);
  }
}

/** Moment at which the link's current frame arrived on the wire. */
export function arrivalPs(link: LinkEnd): Ps {
  return link.atPs - link.meta.aux;
}
