import type { framesV1, MessageInitShape } from '@vhostlab/contracts';
import { monotonicNs } from '@vhostlab/host';
import { ClockEstimate } from './clock-estimate.ts';
import { type FrameRing, RECORD_HEADER_BYTES, recordBytes } from './frame-ring.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { LINK_COUNTER } from './link-statistics.ts';

/** What either side sends. */
export type LinkMessage = NonNullable<MessageInitShape<typeof framesV1.CarryRequestSchema>['message']>;
type Burst = framesV1.FrameBurst;

/** One stream as both sides see it. */
export interface LinkStream {
  /** What arrives; ends or throws when the stream is over. */
  readonly incoming: AsyncIterable<
    Pick<framesV1.CarryRequest | framesV1.CarryResponse, 'message' | 'frames'>
  >;
  /** Answers a promise to wait for when the transport is full. */
  send(message: LinkMessage, frames?: Uint8Array): Promise<void> | undefined;
  /** No more will be sent. */
  end(): void;
}

/** Bytes of frames in a message at most. */
const MESSAGE_BYTES = 64 * 1024;
const PROBE_MS = 500;
/** A peer that says nothing for so long is lost: probes come twice a second. */
export const SILENT_MS = 60_000;
/** Longest frame that is taken from a link; rings lose less than two such records at their end. */
export const MOST_FRAME_BYTES = 65_553;
const SLACK_BYTES = 2 * recordBytes(MOST_FRAME_BYTES);
const CREDIT_MS = 1;
const WAIT_MS = 1000;

/** What is known of a queue pair over all its connections. */
export interface LinkPair {
  readonly pair: number;
  /** From the guest, to the guest. */
  readonly out: FrameRing;
  readonly in: FrameRing;
  readonly counters: Float64Array;
  /** The guest's thread may sleep: this wakes it. */
  wake(): void;
  /** The other end that was last met, 0: none. */
  peer: bigint;
  /** Frames that were sent to it, had from it, and that it has said it has. */
  sentFrames: number;
  receivedFrames: number;
  ackedFrames: number;
}

/** One connection of one queue pair: both openings, and then frames, credits and probes until it is over. */
export class LinkSession {
  readonly #pair: LinkPair;
  readonly #stream: LinkStream;
  readonly #clock = new ClockEstimate();
  readonly #latency = new LatencyHistogram();
  #isOver = false;
  #isOpen = false;
  #heardNs = monotonicNs();
  /** Bytes of bursts: sent, and the most that may be; had, and the most that the peer was told. */
  #sentBytes = 0;
  #limitBytes = 0;
  #hadBytes = 0;
  #toldBytes = 0;
  #creditTimer: NodeJS.Timeout | undefined;

  constructor(pair: LinkPair, stream: LinkStream) {
    this.#pair = pair;
    this.#stream = stream;
  }

  /** Resolves with why the stream is over, when it is; nothing of it is left then. `first`: the peer's opening, if it was read. */
  async run(instance: bigint, first?: framesV1.FrameOpening): Promise<string> {
    const { counters } = this.#pair;
    const probes = setInterval(() => this.#probe(), PROBE_MS);
    let why = 'the connection was closed';
    try {
      this.#toldBytes = this.#roomBytes();
      const known = this.#pair.peer;
      const opening = {
        pair: this.#pair.pair,
        instance,
        knownInstance: known,
        receivedFrames: BigInt(this.#pair.receivedFrames),
        limitBytes: BigInt(this.#toldBytes),
      };
      await this.#stream.send({ case: 'opening', value: opening });
      if (first !== undefined) this.#opened(first, instance);
      why = await Promise.race([this.#read(instance), this.#pump()]);
    } catch (error) {
      why = (error as Error).message;
    } finally {
      this.#isOver = true;
      clearInterval(probes);
      clearTimeout(this.#creditTimer);
      this.#stream.end();
      counters[LINK_COUNTER.connected] = 0;
    }
    return why;
  }

  /** Ends the stream in order. */
  close(reason: string): void {
    if (this.#isOver) return;
    // the last word on what has come
    if (this.#isOpen) this.#sendCredit(this.#toldBytes);
    this.#isOver = true;
    void this.#stream.send({ case: 'closing', value: { reason } });
    this.#stream.end();
  }

  async #read(instance: bigint): Promise<string> {
    for await (const { message, frames } of this.#stream.incoming) {
      this.#heardNs = monotonicNs();
      if (message.case === 'opening') this.#opened(message.value, instance);
      else if (!this.#isOpen) return 'the peer sent something before its opening';
      else if (message.case === 'burst') this.#received(message.value, frames);
      else if (message.case === 'credit') {
        this.#limitBytes = Number(message.value.limitBytes);
        this.#pair.ackedFrames = Number(message.value.receivedFrames);
      } else if (message.case === 'probe') {
        const receivedNs = BigInt(this.#heardNs);
        const value = { probeNs: message.value.sentNs, receivedNs, sentNs: BigInt(monotonicNs()) };
        void this.#stream.send({ case: 'answer', value });
      } else if (message.case === 'answer') {
        const { probeNs, receivedNs, sentNs } = message.value;
        this.#clock.add(Number(probeNs), Number(receivedNs), Number(sentNs), this.#heardNs);
        this.#tell();
      } else if (message.case === 'closing') return `the peer has ended (${message.value.reason})`;
    }
    return 'the connection was closed';
  }

  /** Settles what was lost with the last connection. */
  #opened(opening: framesV1.FrameOpening, instance: bigint): void {
    const pair = this.#pair;
    if (this.#isOpen) return;
    this.#isOpen = true;
    const isSame = opening.instance === pair.peer;
    const had =
      isSame && opening.knownInstance === instance ? Number(opening.receivedFrames) : pair.ackedFrames;
    pair.counters[LINK_COUNTER.drop_link_lost] += Math.max(0, pair.sentFrames - had);
    pair.peer = opening.instance;
    if (!isSame) pair.receivedFrames = 0;
    pair.sentFrames = isSame ? had : 0;
    pair.ackedFrames = pair.sentFrames;
    this.#limitBytes = Number(opening.limitBytes);
    pair.counters[LINK_COUNTER.connected] = 1;
    pair.counters[LINK_COUNTER.connections]++;
    this.#probe();
  }

  #probe(): void {
    const nowNs = monotonicNs();
    if (nowNs - this.#heardNs > SILENT_MS * 1e6) this.#stream.end();
    if (this.#isOpen && !this.#isOver)
      void this.#stream.send({ case: 'probe', value: { sentNs: BigInt(nowNs) } });
  }

  #tell(): void {
    const { counters } = this.#pair;
    const difference = this.#clock.at(monotonicNs());
    counters[LINK_COUNTER.round_trip_ns] = this.#clock.roundTripNs ?? 0;
    counters[LINK_COUNTER.clock_error_ns] = difference?.errorNs ?? -1;
    counters[LINK_COUNTER.latency_ns] = this.#latency.median ?? -1;
  }

  /** Sends what the guest has given, a message per burst, while there is room at the other end. */
  async #pump(): Promise<string> {
    const { out, counters } = this.#pair;
    while (!this.#isOver) {
      if (monotonicNs() - this.#heardNs > SILENT_MS * 1e6)
        return `the peer has said nothing for ${SILENT_MS / 1000} s`;
      const burst = this.#isOpen && out.look() ? this.#take() : undefined;
      if (burst === undefined) {
        const waits = this.#isOpen && out.look();
        if (waits) counters[LINK_COUNTER.waits]++;
        // with frames but no room the next credit is near; without frames the guest's thread says when there are
        await (waits ? pause(CREDIT_MS) : (out.changed(WAIT_MS) ?? pause(0)));
        continue;
      }
      const full = this.#stream.send(burst.message, burst.frames);
      // others are to have their turn, what arrives first of all
      await (full ?? new Promise((resolve) => setImmediate(resolve)));
    }
    return 'closed';
  }

  /** The next burst as a message; undefined when the other end has no room for its first frame. */
  #take(): { message: LinkMessage; frames: Uint8Array } | undefined {
    const { out, counters } = this.#pair;
    const { u32, u8 } = out.arena;
    const most = Math.min(MESSAGE_BYTES, this.#limitBytes - this.#sentBytes);
    const first = out.next();
    let at = first;
    let count = 0;
    let bytes = 0;
    // records that follow each other without a gap
    while (at === first + bytes && at >= 0) {
      const length = u32[at >>> 2];
      const size = recordBytes(length);
      if (bytes + size > most && (count > 0 || size > this.#limitBytes - this.#sentBytes)) break;
      bytes += size;
      count++;
      counters[LINK_COUNTER.sent_bytes] += length;
      out.pass(length);
      at = out.next();
    }
    if (count === 0) return undefined;
    const ageUs = (microseconds() - u32[(first >>> 2) + 1]) >>> 0;
    const frames = u8.slice(first, first + bytes);
    out.release();
    this.#sentBytes += bytes;
    this.#pair.sentFrames += count;
    counters[LINK_COUNTER.sent_frames] += count;
    counters[LINK_COUNTER.sent_bursts]++;
    const sentNs = BigInt(Math.max(0, monotonicNs() - ageUs * 1000));
    return { message: { case: 'burst', value: { sentNs, count } }, frames };
  }

  /** Puts a burst where the guest's thread finds it. Every length is checked: the peer chose it. */
  #received({ sentNs, count: said }: Burst, frames: Uint8Array): void {
    const { in: ring, counters } = this.#pair;
    let from = 0;
    let count = 0;
    let bytes = 0;
    let at = 0;
    let good = 0;
    const flush = (): void => {
      if (at === from) return;
      if (ring.putRecords(frames, from, at) === 0) counters[LINK_COUNTER.drop_beyond_credit] += count;
      else {
        counters[LINK_COUNTER.received_frames] += count;
        counters[LINK_COUNTER.received_bytes] += bytes;
      }
      this.#pair.receivedFrames += count;
      from = at;
      count = 0;
      bytes = 0;
    };
    while (at + RECORD_HEADER_BYTES <= frames.length) {
      const length = frames[at] | (frames[at + 1] << 8) | (frames[at + 2] << 16) | (frames[at + 3] << 24);
      const size = recordBytes(length);
      if (length < 14 || length > MOST_FRAME_BYTES || at + size > frames.length) {
        counters[LINK_COUNTER.drop_no_frame] += Math.max(1, said - good);
        break;
      }
      if (at + size - from > ring.runBytes) flush();
      at += size;
      count++;
      good++;
      bytes += length;
    }
    flush();
    if (ring.publish()) this.#pair.wake();
    counters[LINK_COUNTER.received_bursts]++;
    this.#hadBytes += frames.length;
    const difference = this.#clock.at(this.#heardNs);
    if (difference !== undefined) this.#latency.add(this.#heardNs - Number(sentNs) + difference.offsetNs);
    this.#giveCredit();
  }

  #roomBytes(): number {
    return Math.max(0, this.#pair.in.capacity - SLACK_BYTES - this.#pair.in.usedBytes);
  }

  /** Tells the peer of room when there is a quarter of the ring more, else looks again soon. */
  #giveCredit(): void {
    if (this.#isOver) return;
    const limit = this.#hadBytes + this.#roomBytes();
    if (limit - this.#toldBytes >= this.#pair.in.capacity / 4) this.#sendCredit(limit);
    if (this.#creditTimer !== undefined) return;
    this.#creditTimer = setTimeout(() => {
      this.#creditTimer = undefined;
      const now = this.#hadBytes + this.#roomBytes();
      if (now > this.#toldBytes) this.#sendCredit(now);
      // until the guest's thread has taken everything
      if (!this.#isOver && this.#pair.in.usedBytes > 0) this.#giveCredit();
    }, CREDIT_MS);
  }

  #sendCredit(limit: number): void {
    this.#toldBytes = limit;
    const receivedFrames = BigInt(this.#pair.receivedFrames);
    void this.#stream.send({ case: 'credit', value: { limitBytes: BigInt(limit), receivedFrames } });
  }
}

/** Microseconds of the monotonic clock, 32 bits of them: what records are stamped with. */
export function microseconds(): number {
  return Math.floor(monotonicNs() / 1000) >>> 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
