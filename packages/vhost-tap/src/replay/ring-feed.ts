import type { OfferLine, ProgressLine } from '../record/record-lines.ts';
import type { PlayedRing } from './played-ring.ts';

/**
 * Lines of one ring in their order. A tap looks at one ring after the other, so a line may wait for what another ring does
 * later in the record: then the others go on.
 */
export class RingFeed {
  readonly ring: PlayedRing;
  readonly #waiting: (OfferLine | ProgressLine)[] = [];

  constructor(ring: PlayedRing) {
    this.ring = ring;
  }

  /** True while lines wait for the device. */
  get isBehind(): boolean {
    return this.#waiting.length > 0;
  }

  /** Offers that wait. */
  get waitingOffers(): number {
    return this.#waiting.filter(({ kind }) => kind === 'offer').length;
  }

  /** Plays a line, or keeps it until it can be played. What is offered is not yet visible. */
  play(line: OfferLine | ProgressLine): void {
    if (line.kind === 'offer' && line.missed > 0 && this.ring.isReceive) this.ring.leaveOut(line.missed);
    this.#waiting.push(line);
    this.advance();
  }

  /** Plays what waits, as far as the device lets it. */
  advance(): void {
    let count = 0;
    while (count < this.#waiting.length && this.#tryOne(this.#waiting[count]!)) count++;
    if (count > 0) this.#waiting.splice(0, count);
  }

  /** Leaves out what waits. */
  giveUp(): void {
    this.ring.leaveOut(this.waitingOffers);
    this.#waiting.length = 0;
  }

  /** False: it waits. */
  #tryOne(line: OfferLine | ProgressLine): boolean {
    const { ring } = this;
    if (ring.isParked) return false;
    if (line.kind === 'progress') return ring.isBroken || ring.isReceive || ring.isAsFarAs(line);
    const played = ring.offer(line);
    if (played === 'busy' && !ring.isBroken && !ring.hasStandIns) return false;
    if (played !== 'offered') ring.leaveOut(1);
    return true;
  }
}
