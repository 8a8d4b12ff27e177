import {
  type CoreContext,
  type CoreModule,
  DONE,
  emptyFrameMeta,
  IDLE,
  type LinkEnd,
  type Ps,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import {
  createSource,
  type FrameSource,
  LEARNING_GAP_PS,
  LEARNING_PACKET,
  learningFrames,
  type NumberedEvent,
  type TrafficSpec,
} from '@vhostlab/workload';
import { checkedLength } from '../link/frame-check.ts';
import { impairmentsOf } from '../link/impairments.ts';
import { arrivalPs, WireSender } from '../wire.ts';
import { Requester } from './requester.ts';
import { Sink } from './sink.ts';
import { FRAME_BYTES, StationSource } from './source.ts';

/** Configuration of a `nic/station` core: plain data. */
export interface StationConfig {
  /** What it does: send, receive, both, or one transaction after the other. */
  sends: boolean;
  receives: boolean;
  transacts: boolean;
  /** Generator queues, for the hashes of what arrives. */
  queues: number;
  /** The guest's devices are unplugged in the run, which loses frames. */
  isLossy?: boolean;
  /** Streams of the traffic that keep their order; absent: nobody looks. */
  streams?: number;
  rateGbps: number;
  traffic: TrafficSpec;
  /** traffic of kind pcap: the capture in base64. */
  capture?: string;
  /** What is done to the wire; absent: nothing. */
  link?: NumberedEvent<'link'>[];
}

const PS_PER_NS = 1000;

/** Takes what the wire brings. */
class Receiver implements Task {
  readonly name = 'station.receiver';
  readonly #context: CoreContext;
  readonly #link: LinkEnd;
  readonly #sink: Sink | undefined;
  readonly #requester: Requester | undefined;
  readonly #startPs: Ps;
  readonly #rxOp: number;
  #started = false;

  constructor(context: CoreContext, sink: Sink | undefined, requester: Requester | undefined, startPs: Ps) {
    this.#context = context;
    this.#link = context.link('wire');
    this.#sink = sink;
    this.#requester = requester;
    this.#startPs = startPs;
    this.#rxOp = context.op('wire.rx');
  }

  run(budget: number): TaskResult {
    if (this.#requester !== undefined && !this.#started) {
      if (this.#context.now() < this.#startPs) this.#context.wakeAt(this.#startPs);
      else {
        this.#started = true;
        this.#requester.start(this.#startPs);
      }
    }
    this.#requester?.giveUp(this.#context.now());
    const link = this.#link;
    const { u8 } = this.#context.arena;
    let frames = 0;
    let bytes = 0;
    while (frames < budget && link.receive()) {
      const { offset, meta } = link;
      const length = checkedLength(u8, link);
      const at = arrivalPs(link);
      if (length < 0) this.#context.counter('drop.crc').value++;
      else if (this.#requester !== undefined) this.#requester.answer(offset, length, meta.packet, at);
      else if (this.#sink !== undefined) this.#sink.take(u8, offset, length, meta.packet, meta.bornPs, at);
      else this.#context.counter('drop.station-not-receiving').value++;
      link.release();
      frames++;
      bytes += link.length;
    }
    if (frames > 0) this.#context.meter.book(this.#rxOp, frames, bytes, 0);
    if (frames === budget) return DONE;
    const deadlinePs = this.#requester?.deadlinePs ?? Number.POSITIVE_INFINITY;
    if (deadlinePs < Number.POSITIVE_INFINITY) this.#context.wakeAt(deadlinePs);
    return IDLE;
  }
}

/** Sends the learning frames before the stream starts. */
class Learner implements Task {
  readonly name = 'station.learner';
  readonly #context: CoreContext;
  readonly #wire: WireSender;
  readonly #frames: Uint8Array[];
  readonly #buffer: number;
  #atPs: Ps;

  constructor(context: CoreContext, wire: WireSender, frames: Uint8Array[], atPs: Ps) {
    this.#context = context;
    this.#wire = wire;
    this.#frames = frames;
    this.#atPs = atPs;
    this.#buffer = context.arena.alloc(FRAME_BYTES);
  }

  run(): TaskResult {
    const frame = this.#frames[0];
    if (frame === undefined) return IDLE;
    if (this.#context.now() >= this.#atPs) {
      this.#frames.shift();
      this.#context.arena.u8.set(frame, this.#buffer);
      this.#wire.send(
        this.#buffer,
        frame.length,
        { ...emptyFrameMeta(), packet: LEARNING_PACKET },
        this.#atPs,
      );
      this.#atPs += LEARNING_GAP_PS;
    }
    if (this.#frames.length > 0) this.#context.wakeAt(this.#atPs);
    return IDLE;
  }
}

/** Core module `nic/station`: the far end of the wire. */
export const stationModule: CoreModule = {
  create(context: CoreContext, config: StationConfig): void {
    const windowPs = Math.round(context.constant('nic.batchWindowNs') * PS_PER_NS);
    const startPs = Math.round(context.constant('run.trafficStartNs') * PS_PER_NS);
    const wire = new WireSender(
      context.link('wire'),
      config.rateGbps,
      windowPs,
      impairmentsOf(context, config.link),
    );
    const source = config.sends || config.transacts ? sourceOf(config) : undefined;
    const sink =
      config.receives || config.transacts ? new Sink(context, config.queues, config.streams) : undefined;
    const learnPs = Math.round(context.constant('run.learningNs') * PS_PER_NS);
    if (source !== undefined && learnPs > 0) {
      const frames = learningFrames(config.traffic, captureOf(config));
      context.addTask(new Learner(context, wire, frames, startPs - learnPs));
    }
    let requester: Requester | undefined;
    if (config.transacts && source !== undefined && sink !== undefined) {
      const turnaroundPs = Math.round(context.constant('station.turnaroundNs') * PS_PER_NS);
      requester = new Requester(
        context,
        source,
        wire,
        sink,
        Math.max(windowPs, turnaroundPs),
        patiencePs(config),
      );
    } else if (source !== undefined) {
      context.addTask(new StationSource(context, source, wire, startPs));
    }
    context.addTask(new Receiver(context, sink, requester, startPs));
  },
};

/** A request waits this long for its answer on a link that may lose it, and as long again as the link may hold both. */
const PATIENCE_PS: Ps = 100_000_000_000;

/** How long a request waits for its answer; for ever where nothing is lost. */
function patiencePs({ link = [], isLossy }: StationConfig): Ps {
  if (link.length === 0 && isLossy !== true) return Number.POSITIVE_INFINITY;
  const held = Math.max(0, ...link.map(({ delayPs = 0, jitterPs = 0 }) => delayPs + jitterPs));
  return PATIENCE_PS + 2 * held;
}

function sourceOf(config: StationConfig): FrameSource {
  const capture = captureOf(config);
  return createSource(config.traffic, capture === undefined ? {} : { capture });
}

function captureOf(config: StationConfig): Uint8Array | undefined {
  return config.capture === undefined ? undefined : Buffer.from(config.capture, 'base64');
}
