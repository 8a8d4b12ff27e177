import { monotonicNs } from '@vhostlab/host';
import type { NotificationLine, OfferLine, ProgressLine, RingStartLine } from '../record/record-lines.ts';
import type { Recorded } from './offered-buffer.ts';
import type { ReplayOptions } from './options.ts';
import type { Outcome } from './outcome.ts';
import { PlayedRing } from './played-ring.ts';
import type { ReplayFds } from './replay-fds.ts';
import type { ReplayMemory } from './replay-memory.ts';
import { RingFeed } from './ring-feed.ts';
import type { RingLine } from './steps.ts';

/** How long a line holds up the lines of other rings. */
const GRACE_MS = 100;
const RECEIVE_GRACE_MS = 20;
/** Times that frames may fail to arrive as they did before nobody waits for them any more. */
const MAX_DISAPPOINTMENTS = 10;

/** Waits until something holds, looking at all rings meanwhile; false: not in time. */
export type Until = (holds: () => boolean, ms: number) => Promise<boolean>;

/** What the rings of one connection do. */
export class ReplayRings {
  readonly #memory: ReplayMemory;
  readonly #recorded: Recorded;
  readonly #fds: ReplayFds;
  readonly #outcome: Outcome;
  readonly #until: Until;
  readonly #options: ReplayOptions;
  readonly #isOpen: () => boolean;
  #disappointments = 0;
  readonly #feeds = new Map<number, RingFeed>();
  /** Has offers that are not yet visible. */
  #hidden: PlayedRing | null = null;

  constructor(
    memory: ReplayMemory,
    recorded: Recorded,
    fds: ReplayFds,
    outcome: Outcome,
    until: Until,
    options: ReplayOptions,
    isOpen: () => boolean,
  ) {
    this.#memory = memory;
    this.#recorded = recorded;
    this.#fds = fds;
    this.#outcome = outcome;
    this.#until = until;
    this.#options = options;
    this.#isOpen = isOpen;
  }

  ring(queue: number): PlayedRing | undefined {
    return this.#feeds.get(queue)?.ring;
  }

  get #rings(): PlayedRing[] {
    return [...this.#feeds.values()].map(({ ring }) => ring);
  }

  async play(line: RingLine): Promise<void> {
    const feed = this.#feeds.get(line.queue);
    const ring = feed?.ring;
    if (line.kind !== 'offer' || ring !== this.#hidden) this.publish();
    switch (line.kind) {
      case 'ring-start':
        this.#start(line, ring);
        break;
      case 'ring-stop':
        this.#stop(ring);
        break;
      case 'offer':
      case 'progress':
        if (feed !== undefined) await this.#play(line, feed);
        break;
      case 'words':
        ring?.words(line);
        break;
      case 'kick':
        this.#kick(line, ring);
        break;
    }
  }

  /** Makes visible what was offered. */
  publish(): void {
    this.#hidden?.publish();
    this.#hidden = null;
  }

  /** Looks at every ring, and takes its calls. */
  look(): void {
    const now = monotonicNs();
    for (const feed of this.#feeds.values()) {
      const { ring } = feed;
      ring.look(now);
      if (feed.isBehind) {
        feed.advance();
        ring.publish();
      }
      this.#outcome.counts.calls += this.#fds.calls(ring.queue);
      if (this.#fds.hasError(ring.queue)) {
        this.#outcome.differs(`ring ${ring.queue}`, 'the back end signals that the ring is broken');
      }
    }
  }

  /** Kicks where the device asks for it and the record has no kick: it may sleep where the recorded one did not. */
  kickWhereAsked(): void {
    for (const ring of this.#rings) {
      if (!ring.asksForKick) continue;
      ring.kicked();
      if (this.#fds.kick(ring.queue)) this.#outcome.counts.kicks++;
    }
  }

  /** Memory is about to change. */
  parkAll(): void {
    this.publish();
    for (const ring of this.#rings) ring.isParked = true;
  }

  /** True when nothing that was sent waits for the device. */
  get isSent(): boolean {
    return this.#rings.every(
      (ring) => ring.isReceive || ring.isParked || ring.isBroken || ring.outstanding === 0,
    );
  }

  /** True when no device works on a ring any more. */
  get areStopped(): boolean {
    return this.#rings.every(({ isParked }) => isParked);
  }

  /** Adds what was played to the outcome. */
  count(): void {
    for (const ring of this.#rings) this.#count(ring);
    this.#feeds.clear();
  }

  #start(line: RingStartLine, before: PlayedRing | undefined): void {
    const { notes } = this.#outcome;
    try {
      if (line.base === null) {
        if (before?.resume(line) !== true)
          notes.add(`ring ${line.queue} goes on at another place, which is not played`);
        return;
      }
      if (before !== undefined) this.#count(before);
      this.#feeds.delete(line.queue);
      const say = this.#outcome.violation.bind(this.#outcome);
      const ring = new PlayedRing(line, this.#memory, this.#recorded, say);
      this.#feeds.set(line.queue, new RingFeed(ring));
      this.#outcome.counts.rings++;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      notes.add(`${error.message}; it is not played`);
    }
  }

  #stop(ring: PlayedRing | undefined): void {
    if (ring === undefined) return;
    this.look();
    ring.isParked = true;
  }

  async #play(line: OfferLine | ProgressLine, feed: RingFeed): Promise<void> {
    const { ring } = feed;
    const wasBehind = feed.isBehind;
    feed.play(line);
    if (line.kind === 'offer') this.#hidden = ring;
    if (line.kind === 'progress' && ring.isReceive) await this.#receive(line, ring);
    if (!feed.isBehind || wasBehind) return;
    this.publish();
    const { timeoutMs } = this.#options;
    await this.#until(() => !feed.isBehind, Math.min(GRACE_MS, timeoutMs));
  }

  /** Lets frames arrive as they did in the record, as long as they do. */
  async #receive(line: ProgressLine, ring: PlayedRing): Promise<void> {
    if (this.#disappointments >= MAX_DISAPPOINTMENTS || ring.isBroken || ring.isAsFarAs(line)) return;
    const { receiveTimeoutMs } = this.#options;
    const came = await this.#until(() => ring.isAsFarAs(line), Math.min(RECEIVE_GRACE_MS, receiveTimeoutMs));
    if (!came) this.#disappointments++;
  }

  /** Waits for the device before rings stop; what it does not let the driver do then is left out. */
  async settle(): Promise<void> {
    this.publish();
    const feeds = [...this.#feeds.values()].sort(
      (a, b) => Number(a.ring.isReceive) - Number(b.ring.isReceive),
    );
    for (const feed of feeds) {
      const { ring } = feed;
      const { timeoutMs, receiveTimeoutMs } = this.#options;
      const ms = ring.isReceive ? Math.min(receiveTimeoutMs, timeoutMs) : timeoutMs;
      while (feed.isBehind && !ring.isParked) {
        const before = ring.used;
        if (await this.#until(() => !feed.isBehind, ms)) break;
        if (ring.used > before && this.#isOpen()) continue;
        if (this.#isOpen()) this.#tellStalled(feed, ms);
        feed.giveUp();
      }
    }
  }

  #tellStalled({ ring, waitingOffers }: RingFeed, ms: number): void {
    if (ring.isReceive) {
      this.#outcome.notes.add(`ring ${ring.queue} receives less than it did in the record`);
      return;
    }
    const text = `the back end has not used its buffers within ${ms} ms: ${ring.outstanding} are outstanding`;
    const left = waitingOffers === 0 ? 'fewer were recorded' : `${waitingOffers} more wait for them`;
    this.#outcome.differs(`ring ${ring.queue}`, `${text}, ${left}`);
  }

  #kick(line: NotificationLine, ring: PlayedRing | undefined): void {
    ring?.kicked();
    const times = Math.min(line.count, 16);
    if (this.#fds.kick(line.queue, times)) this.#outcome.counts.kicks += times;
  }

  #count(ring: PlayedRing): void {
    const { counts } = this.#outcome;
    counts.offered += ring.offered;
    counts.skipped += ring.skipped;
    counts.used += ring.used;
  }
}
