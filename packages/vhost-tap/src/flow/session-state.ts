import { F_LOG_ALL, PROTOCOL_F, type VringAddr } from '@vhostlab/vhost-user';

/** What a tap knows about one ring. Null: nothing was said yet. */
export interface RingFacts {
  readonly index: number;
  size: number | null;
  base: number | null;
  addr: VringAddr | null;
  enabled: boolean;
  /** A kick descriptor (or none, for polling) was given and the ring was not stopped since. */
  started: boolean;
}

/** What both peers have said so far on one connection. */
export class SessionState {
  offered: bigint | null = null;
  features = 0n;
  protocolOffered: bigint | null = null;
  protocolFeatures = 0n;
  /** Answer to GET_QUEUE_NUM: queue pairs. */
  queuePairs: number | null = null;
  memSlots: number | null = null;
  /** Between POSTCOPY_LISTEN and the answer to POSTCOPY_END: guest memory must not be read. */
  isPostcopy = false;
  /** POSTCOPY_ADVISE was sent: memory messages may be answered with tables. */
  isPostcopyAdvised = false;
  readonly rings = new Map<number, RingFacts>();

  has(feature: keyof typeof PROTOCOL_F): boolean {
    return (this.protocolFeatures & PROTOCOL_F[feature]) !== 0n;
  }

  /** Acknowledged features without the one that is switched while rings run. */
  get lastingFeatures(): bigint {
    return this.features & ~F_LOG_ALL;
  }

  ring(index: number): RingFacts {
    let ring = this.rings.get(index);
    if (ring === undefined) {
      ring = { index, size: null, base: null, addr: null, enabled: false, started: false };
      this.rings.set(index, ring);
    }
    return ring;
  }

  /** Rings by index. */
  get ringList(): RingFacts[] {
    return [...this.rings.values()].sort((a, b) => a.index - b.index);
  }
}
