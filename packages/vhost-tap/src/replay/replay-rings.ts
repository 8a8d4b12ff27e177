import { monotonicNs } from '@vhostlab/host';
import type { NotificationLine, OfferLine, ProgressLine, RingStartLine } from '../record/record-lines.ts';
import type { Recorded } from './offered-buffer.ts';
import type { Outcome } from './outcome.ts';
import { PlayedRing } from './played-ring.ts';
import type { ReplayFds } from './replay-fds.ts';
import type { ReplayMemory } from './replay-memory.ts';
import type { RingLine } from './steps.ts';

/** Longest wait for a receive buffer: that nothing arrives here as it did in the record is nobody's fault. */
const RECEIVE_PATIENCE_MS = 300;

/** Waits until something holds, looking at all rings meanwhile; false: not in time. */
export type Until = (holds: () => boolean, ms: number) => Promise<boolean>;

/** What the rings of one connection do. */
export class ReplayRings {
  readonly #memory: ReplayMemory;
  readonly #recorded: Recorded;
  readonly #fds: ReplayFds;
  readonly #outcome: Outcome;
  readonly #until: Until;
  readonly #timeoutMs: number;
  readonly #rings = new Map<number, PlayedRing>();
  /** Has offers that are not yet visible. */
  #hidden: PlayedRing | null = null;

  constructor(
    memory: ReplayMemory,
    recorded: Recorded,
    fds: ReplayFds,
    outcome: Outcome,
    until: Until,
    timeoutMs: number,
  ) {
    this.#memory = memory;
    this.#recorded = recorded;
    this.#fds = fds;
    this.#outcome = outcome;
    this.#until = until;
    this.#timeoutMs = timeoutMs;
  }

  ring(queue: number): PlayedRing | undefined {
    return this.#rings.get(queue);
  }

  async play(line: RingLine): Promise<void> {
    const ring = this.#rings.get(line.queue);
    if (line.kind !== 'offer' || ring !== this.#hidden) this.publish();
    switch (line.kind) {
      case 'ring-start':
        this.#start(line, ring);
        break;
      case 'ring-stop':
        this.#stop(ring);
        break;
      case 'offer':
        if (ring !== undefined) await this.#offer(line, ring);
        break;
      case 'words':
        ring?.words(line);
        break;
      case 'progress':
        if (ring !== undefined) await this.#follow(line, ring);
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
    for (const ring of this.#rings.values()) {
      ring.look(now);
      this.#outcome.counts.calls += this.#fds.calls(ring.queue);
      if (this.#fds.hasError(ring.queue)) {
        this.#outcome.differs(`ring ${ring.queue}`, 'the back end signals that the ring is broken');
      }
    }
  }

  /** Kicks where the device asks for it and the record has no kick: it may sleep where the recorded one did not. */
  kickWhereAsked(): void {
    for (const ring of this.#rings.values()) {
      if (!ring.asksForKick) continue;
      ring.kicked();
      if (this.#fds.kick(ring.queue)) this.#outcome.counts.kicks++;
    }
  }

  /** Memory is about to change. */
  parkAll(): void {
    this.publish();
    for (const ring of this.#rings.values()) ring.isParked = true;
  }

  /** True when nothing that was sent waits for the device. */
  get isSent(): boolean {
    return [...this.#rings.values()].every(
      (ring) => ring.isReceive || !ring.isWorthWaiting || ring.outstanding === 0,
    );
  }

  /** True when no device works on a ring any more. */
  get areStopped(): boolean {
    return [...this.#rings.values()].every(({ isParked }) => isParked);
  }

  /** Adds what was played to the outcome. */
  count(): void {
    for (const ring of this.#rings.values()) this.#count(ring);
    this.#rings.clear();
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
      this.#rings.delete(line.queue);
      const say = this.#outcome.violation.bind(this.#outcome);
      this.#rings.set(line.queue, new PlayedRing(line, this.#memory, this.#recorded, say));
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

  async #offer(line: OfferLine, ring: PlayedRing): Promise<void> {
    let played = ring.offer(line);
    if (played === 'busy') {
      this.publish();
      if (
        ring.isWorthWaiting &&
        (await this.#wait(ring, () => (played = ring.offer(line)) !== 'busy')) === false
      ) {
        this.#stalled(ring, `buffer ${line.place} of the record cannot be offered`);
      }
    }
    if (played === 'offered') this.#hidden = ring;
    else ring.skipped++;
  }

  async #follow(line: ProgressLine, ring: PlayedRing): Promise<void> {
    if (!ring.isWorthWaiting || ring.isAsFarAs(line)) return;
    if (await this.#wait(ring, () => ring.isAsFarAs(line) || !ring.isWorthWaiting)) return;
    this.#stalled(ring, `${ring.outstanding} are outstanding where ${line.outstanding} were recorded`);
  }

  #wait(ring: PlayedRing, holds: () => boolean): Promise<boolean> {
    const ms = ring.isReceive ? Math.min(RECEIVE_PATIENCE_MS, this.#timeoutMs) : this.#timeoutMs;
    return this.#until(holds, ms);
  }

  #stalled(ring: PlayedRing, text: string): void {
    ring.stall();
    if (ring.isReceive) {
      this.#outcome.notes.add(`ring ${ring.queue} receives less than it did in the record`);
    } else {
      const waited = `the back end has not used its buffers within ${this.#timeoutMs} ms`;
      this.#outcome.differs(`ring ${ring.queue}`, `${waited}: ${text}`);
    }
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
