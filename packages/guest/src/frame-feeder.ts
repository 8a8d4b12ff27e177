import type { CoreContext, Counter, Ps } from '@vhostlab/engine';
import { completeChecksum, GSO_NONE, Segmenter, writeHeader } from '@vhostlab/virtio-net';
import {
  createSource,
  type FrameSource,
  LEARNING_GAP_PS,
  LEARNING_PACKET,
  learningFrames,
  SEGMENT_BYTES,
} from '@vhostlab/workload';
import type { GuestPort } from './guest-port.ts';
import { HEADER_BYTES } from './rx-path.ts';

const SCRATCH_BYTES = 68 * 1024;

/** What one call of `fill` did, for charges. */
export interface FillWork {
  /** Frames added to the queue. */
  frames: number;
  bytes: number;
  /** Frames that the application wrote, and their bytes. */
  writes: number;
  writeBytes: number;
  /** Segments cut in software, and their bytes. */
  segments: number;
  segmentBytes: number;
  /** Checksums computed in software, and bytes summed. */
  checksums: number;
  checksumBytes: number;
}

/**
 * Puts the frames of a traffic source into the transmit queue when their moment has come. What a frame wants and the
 * device does not offer (segmentation, checksum) is done here.
 */
export class FrameFeeder {
  readonly work: FillWork = {
    frames: 0,
    bytes: 0,
    writes: 0,
    writeBytes: 0,
    segments: 0,
    segmentBytes: 0,
    checksums: 0,
    checksumBytes: 0,
  };
  #port: GuestPort;
  readonly #context: CoreContext;
  readonly #source: FrameSource;
  readonly #startPs: Ps;
  readonly #offered: Counter;
  readonly #offeredBytes: Counter;
  readonly #segmenter: Segmenter;
  #scratch = -1;
  #has: boolean;
  /** Frames that are still to be sent ahead of the stream, and the moment of the next of them. */
  readonly #learning: Uint8Array[];
  #learnPs: Ps;
  /** Frames that the source gave so far: numbers its packets. */
  #index = 0;
  #bornPs: Ps = 0;

  constructor(port: GuestPort) {
    const { config, context } = port;
    const { traffic, queues, workload } = config.scenario;
    this.#port = port;
    this.#context = context;
    const spec =
      workload === 'stream'
        ? { ...traffic, kind: 'tcp-stream' as const, gso: true, checksumOffload: true }
        : traffic;
    const capture = config.capture === undefined ? undefined : Buffer.from(config.capture, 'base64');
    this.#source = createSource(spec, {
      shard: config.queue,
      shards: queues,
      ...(capture === undefined ? {} : { capture }),
    });
    this.#startPs = context.constant('run.trafficStartNs') * 1000;
    const learningPs = context.constant('run.learningNs') * 1000;
    this.#learnPs = this.#startPs - learningPs;
    this.#learning = learningPs > 0 ? learningFrames(traffic, capture) : [];
    this.#offered = context.counter('frames.offered');
    this.#offeredBytes = context.counter('bytes.offered');
    this.#segmenter = new Segmenter(context.arena.u8);
    this.#has = this.#source.next();
  }

  /** Frames go out on another device from now on. */
  set port(port: GuestPort) {
    this.#port = port;
  }

  /** Moment from which the next frame may depart. */
  get nextPs(): Ps {
    if (this.#port.again !== undefined) return 0;
    if (this.#learning.length > 0) return this.#learnPs;
    if (this.#segmenter.index < this.#segmenter.count) return 0;
    return this.#has ? this.#startPs + this.#source.atPs : Number.POSITIVE_INFINITY;
  }

  /** Adds at most `max` frames that are due at `now`; answers how many. `work` says what it took. */
  fill(max: number, now: Ps): number {
    const { work } = this;
    work.frames = 0;
    work.bytes = 0;
    work.writes = 0;
    work.writeBytes = 0;
    work.segments = 0;
    work.segmentBytes = 0;
    work.checksums = 0;
    work.checksumBytes = 0;
    if (this.#port.again !== undefined) {
      work.frames = this.#port.resubmit();
      if (work.frames > 0 || this.#port.again !== undefined) return work.frames;
    }
    this.#port.tx.begin();
    if (this.#learning.length > 0 && now >= this.#learnPs) {
      this.#learn(this.#learning[0], now);
      return work.frames;
    }
    const { offload } = this.#source;
    while (work.frames < max && this.nextPs <= now) {
      const isWhole =
        this.#port.transmitRules.gsoTypes !== 0 && this.#segmenter.index === this.#segmenter.count;
      const cut = offload.gsoType !== GSO_NONE && !isWhole;
      const large = offload.gsoType !== GSO_NONE && !cut;
      const added = cut ? this.#addSegment(now) : this.#addFrame(large, now);
      if (!added) break;
    }
    return work.frames;
  }

  #learn(frame: Uint8Array, now: Ps): void {
    const { tx, pool, base } = this.#port;
    const buffer = tx.hasRoom(1) ? pool.takeSmall() : -1;
    if (buffer < 0) return;
    const { u8, u32 } = this.#context.arena;
    const frameAt = base + pool.gpa[buffer];
    u8.set(frame, frameAt);
    this.#plainHeader(u32, frameAt);
    if (!tx.add(buffer, frame.length, LEARNING_PACKET, now))
      throw new Error('the transmit queue lost its room');
    this.#learning.shift();
    this.#learnPs += LEARNING_GAP_PS;
    this.work.frames++;
    this.work.bytes += frame.length;
  }

  #addFrame(large: boolean, now: Ps): boolean {
    const { tx, pool, base } = this.#port;
    const source = this.#source;
    const pieces = large ? Math.ceil(source.length / SEGMENT_BYTES) + 2 : 1;
    if (!tx.hasRoom(pieces)) return false;
    const buffer = large ? pool.takeLarge() : pool.takeSmall();
    if (buffer < 0) return false;
    const { u8, u32 } = this.#context.arena;
    const frameAt = base + pool.gpa[buffer];
    const length = source.write(u8, frameAt);
    const { offload } = source;
    if (offload.flags === 0 && offload.gsoType === GSO_NONE) {
      this.#plainHeader(u32, frameAt);
    } else if (offload.gsoType === GSO_NONE && !this.#port.transmitRules.csum) {
      completeChecksum(u8, frameAt, length, offload);
      this.work.checksums++;
      this.work.checksumBytes += length;
      this.#plainHeader(u32, frameAt);
    } else {
      writeHeader(u8, frameAt - HEADER_BYTES, HEADER_BYTES, offload, 0);
    }
    if (!tx.add(buffer, length, this.#packet(), now)) {
      pool.free(buffer);
      return false;
    }
    const segments = large ? Math.ceil((length - offload.hdrLen) / offload.gsoSize) : 1;
    this.#offered.value += segments;
    this.#offeredBytes.value += length + (segments - 1) * offload.hdrLen;
    this.work.frames++;
    this.work.bytes += length;
    this.work.writes++;
    this.work.writeBytes += length;
    this.#next();
    return true;
  }

  /** The next segment of a frame that the device does not cut: from a scratch copy into a buffer of its own. */
  #addSegment(now: Ps): boolean {
    const { tx, pool, base } = this.#port;
    const { u8, u32 } = this.#context.arena;
    const source = this.#source;
    if (!tx.hasRoom(1)) return false;
    if (this.#scratch < 0) this.#scratch = this.#context.arena.alloc(SCRATCH_BYTES);
    const segmenter = this.#segmenter;
    if (segmenter.index === segmenter.count) {
      const length = source.write(u8, this.#scratch);
      if (segmenter.begin(this.#scratch, length, source.offload) === 0) {
        throw new Error(`the source made a frame that cannot be segmented: fault ${segmenter.fault}`);
      }
      this.#bornPs = now;
      this.work.writes++;
      this.work.writeBytes += length;
    }
    const buffer = pool.takeSmall();
    if (buffer < 0) return false;
    const frameAt = base + pool.gpa[buffer];
    const length = segmenter.next(frameAt);
    this.#plainHeader(u32, frameAt);
    if (!tx.add(buffer, length, this.#packet(), this.#bornPs))
      throw new Error('the transmit queue lost its room');
    this.#offered.value++;
    this.#offeredBytes.value += length;
    this.work.frames++;
    this.work.bytes += length;
    this.work.segments++;
    this.work.segmentBytes += length;
    if (segmenter.index === segmenter.count) this.#next();
    return true;
  }

  /** The header of a frame without offloads: num_buffers is 0 too (virtio 1.3, 5.1.6.2.1). */
  #plainHeader(u32: Uint32Array, frameAt: number): void {
    const word = (frameAt - HEADER_BYTES) >>> 2;
    u32[word] = 0;
    u32[word + 1] = 0;
    u32[word + 2] = 0;
  }

  #packet(): number {
    const { queue, scenario } = this.#port.config;
    return this.#index * scenario.queues + queue;
  }

  #next(): void {
    this.#index++;
    this.#has = this.#source.next();
  }
}
