import type { VringAddr } from '../codec/payload.ts';
import type { Fd } from '../fd.ts';
import type { RingAreas } from './ring-setup.ts';

/** All that the front end said about one ring, and what became of it. Owns the descriptors. */
export class RingState {
  readonly index: number;
  /** Descriptors; 0: SET_VRING_NUM has not come. */
  size = 0;
  address: VringAddr | null = null;
  /** `num` of SET_VRING_BASE, or where the ring stopped; null: never given, the ring begins as new. */
  base: number | null = null;
  /** SET_VRING_KICK has come since the ring stopped, with or without a descriptor. */
  isKickSet = false;
  kick: Fd | null = null;
  call: Fd | null = null;
  err: Fd | null = null;
  isEnabled = false;
  isStarted = false;
  /** Where a started ring is; null while its memory is gone. */
  areas: RingAreas | null = null;

  constructor(index: number) {
    this.index = index;
  }

  /** Forgets size, addresses, base and kick: RESET_DEVICE. Call and error descriptors stay, as front ends send them once. */
  reset(): void {
    this.size = 0;
    this.address = null;
    this.base = null;
    this.isEnabled = false;
    this.dropKick();
  }

  /** Closes the kick descriptor and waits for a new one. */
  dropKick(): void {
    this.kick?.close();
    this.kick = null;
    this.isKickSet = false;
  }

  /** Closes every descriptor. */
  dispose(): void {
    this.dropKick();
    this.call?.close();
    this.err?.close();
    this.call = null;
    this.err = null;
  }
}
