import type { CoreContext, Counter } from '@vhostlab/engine';
import {
  completeChecksum,
  GSO_NONE,
  HDR_F_NEEDS_CSUM,
  type HeaderFields,
  NO_OFFLOAD,
  readHeader,
  writeHeader,
} from '@vhostlab/virtio-net';
import { reflect } from '@vhostlab/workload';
import type { GuestPort } from './guest-port.ts';
import { HEADER_BYTES, type RxPath } from './rx-path.ts';

/** Sends received frames out again from the same buffers, as they are or turned into answers. */
export class FrameForwarder {
  /** Software checksums of the last burst, and bytes summed. */
  checksums = 0;
  checksumBytes = 0;
  readonly #port: GuestPort;
  readonly #context: CoreContext;
  readonly #reflects: boolean;
  readonly #fields: HeaderFields = { ...NO_OFFLOAD };
  readonly #full: Counter;
  readonly #broken: Counter;
  readonly #offload: Counter;

  /** `reflects`: addresses and ports change places. */
  constructor(port: GuestPort, reflects: boolean) {
    this.#port = port;
    this.#context = port.context;
    this.#reflects = reflects;
    this.#full = port.context.counter('drop.guest-ring-full');
    this.#broken = port.context.counter('drop.guest-queue-broken');
    this.#offload = port.context.counter('drop.guest-offload');
  }

  /** Adds the frames of the current burst to the transmit queue; what finds no room is dropped and counted. */
  take(rx: RxPath): void {
    const { tx, pool, base } = this.#port;
    const { u8 } = this.#context.arena;
    this.checksums = 0;
    this.checksumBytes = 0;
    tx.begin();
    for (let i = 0; i < rx.count; i++) {
      const buffer = rx.buffer[i];
      const frameAt = base + pool.gpa[buffer];
      if (!this.#header(buffer, frameAt, rx.length[i])) {
        this.#offload.value++;
        pool.free(buffer);
        continue;
      }
      if (this.#reflects) reflect(u8, frameAt, rx.length[i]);
      if (tx.add(buffer, rx.length[i], rx.packet[i], rx.bornPs[i])) continue;
      this.#port.wrote(frameAt - HEADER_BYTES, HEADER_BYTES + rx.length[i]);
      if (tx.broken) this.#broken.value++;
      else this.#full.value++;
      pool.free(buffer);
    }
  }

  /** Rewrites the header for transmission; false when the frame needs an offload that was not negotiated. */
  #header(buffer: number, frameAt: number, length: number): boolean {
    const { u8, u32 } = this.#context.arena;
    const header = frameAt - HEADER_BYTES;
    const { transmitRules, pool } = this.#port;
    if ((u8[header] & HDR_F_NEEDS_CSUM) === 0 && u8[header + 1] === GSO_NONE) {
      u32[header >>> 2] = 0;
      u32[(header >>> 2) + 1] = 0;
      u32[(header >>> 2) + 2] = 0;
      return true;
    }
    const fields = this.#fields;
    readHeader(u8, header, fields);
    if (fields.gsoType !== GSO_NONE && ((transmitRules.gsoTypes >>> (fields.gsoType & 0x1f)) & 1) === 0)
      return false;
    if (transmitRules.csum) {
      fields.flags = HDR_F_NEEDS_CSUM;
    } else {
      if (pool.next[buffer] >= 0 || !completeChecksum(u8, frameAt, length, fields)) return false;
      this.checksums++;
      this.checksumBytes += length;
      Object.assign(fields, NO_OFFLOAD);
    }
    writeHeader(u8, header, HEADER_BYTES, fields, 0);
    return true;
  }
}
