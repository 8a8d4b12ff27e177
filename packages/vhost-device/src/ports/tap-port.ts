import {
  type Fd,
  type MappedArena,
  openTap,
  readInto,
  setTapOffloads,
  TUN_F_CSUM,
  TUN_F_TSO4,
  TUN_F_TSO6,
  writeFrom,
} from '@vhostlab/host';
import type { Arena } from '@vhostlab/memory';
import type { FrameBatch } from '../frames/frame-batch.ts';
import type { Port } from './port.ts';

/** struct virtio_net_hdr as tap writes and reads it (virtio 1.3, 5.1.6), num_buffers included. */
const HEADER_BYTES = 12;
const EAGAIN = 11;
const EINVAL = 22;
const GUEST_CSUM = 1n << 1n;
const GUEST_TSO4 = 1n << 7n;
const GUEST_TSO6 = 1n << 8n;

/** Reasons by errno; others are counted as `tap-failed`. */
type Drops = Record<'tap-full' | 'tap-refused' | 'tap-failed', number>;

/** A tap interface: its frames go to the guest, the guest's to the kernel, checksums and segments still to be done included. */
export class TapPort implements Port {
  readonly drops: Drops = { 'tap-full': 0, 'tap-refused': 0, 'tap-failed': 0 };
  readonly finished = undefined;
  readonly keeps = true;
  readonly #tap: Fd;
  readonly #mapped: MappedArena;
  readonly #u16: Uint16Array;
  #isDry = false;

  constructor(name: string, mapped: MappedArena, arena: Arena, multiQueue: boolean) {
    this.#tap = openTap(name, { headerBytes: HEADER_BYTES, multiQueue });
    this.#mapped = mapped;
    this.#u16 = arena.u16;
  }

  get waitNumber(): number {
    return this.#tap.number;
  }

  /** The kernel may leave to the guest what the guest has said it can do. */
  negotiated(features: bigint): void {
    let offloads = 0;
    if ((features & GUEST_CSUM) !== 0n) offloads |= TUN_F_CSUM;
    if ((features & GUEST_TSO4) !== 0n) offloads |= TUN_F_TSO4;
    if ((features & GUEST_TSO6) !== 0n) offloads |= TUN_F_TSO6;
    setTapOffloads(this.#tap, offloads);
  }

  fromGuest(batch: FrameBatch): void {
    const u16 = this.#u16;
    for (let i = 0; i < batch.count; i++) {
      const at = batch.offset[i] - HEADER_BYTES;
      const w = at >>> 1;
      u16[w] = batch.flags[i] | (batch.gsoType[i] << 8);
      u16[w + 1] = batch.hdrLen[i];
      u16[w + 2] = batch.gsoSize[i];
      u16[w + 3] = batch.csumStart[i];
      u16[w + 4] = batch.csumOffset[i];
      u16[w + 5] = 0;
      const put = writeFrom(this.#tap.number, this.#mapped, at, HEADER_BYTES + batch.length[i]);
      if (put < 0) this.#drop(-put);
    }
  }

  toGuest(batch: FrameBatch, max: number): void {
    const u16 = this.#u16;
    let count = 0;
    while (count < max) {
      const home = batch.home(count);
      const at = home - HEADER_BYTES;
      const got = readInto(this.#tap.number, this.#mapped, at, HEADER_BYTES + batch.frameBytes);
      this.#isDry = got <= HEADER_BYTES;
      if (this.#isDry) break;
      const w = at >>> 1;
      batch.offset[count] = home;
      batch.length[count] = got - HEADER_BYTES;
      batch.flags[count] = u16[w] & 0xff;
      batch.gsoType[count] = u16[w] >>> 8;
      batch.hdrLen[count] = u16[w + 1];
      batch.gsoSize[count] = u16[w + 2];
      batch.csumStart[count] = u16[w + 3];
      batch.csumOffset[count] = u16[w + 4];
      count++;
    }
    batch.count = count;
  }

  dueInNs(): number {
    return this.#isDry ? Number.POSITIVE_INFINITY : 0;
  }

  flush(): void {
    // the kernel has every frame
  }

  close(): void {
    this.#tap.close();
  }

  #drop(errno: number): void {
    if (errno === EAGAIN) this.drops['tap-full']++;
    else if (errno === EINVAL) this.drops['tap-refused']++;
    else this.drops['tap-failed']++;
  }
}
