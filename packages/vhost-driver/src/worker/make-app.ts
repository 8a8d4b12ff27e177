import { createSource, createVerifySource, parseRate, type TrafficSpec } from '@vhostlab/workload';
import type { App, PairContext } from './app.ts';
import { CaptureHandler } from './capture-handler.ts';
import { ForwardApp } from './forward-app.ts';
import { CountingHandler, type FrameHandler } from './frame-handler.ts';
import { Pace } from './pace.ts';
import { PreparedFrames } from './prepared-frames.ts';
import { PreparedSender } from './prepared-sender.ts';
import { RrApp } from './rr-app.ts';
import { SendWindow } from './send-window.ts';
import { SourceSender } from './source-sender.ts';
import { TrafficApp } from './traffic-app.ts';
import { VerifyHandler } from './verify-handler.ts';

/** Frames of a stream whose number is not limited: as many as a source can number. */
const UNLIMITED = 1e9;
const DEFAULT_TIMEOUT_MS = 1000;
/** How long frames may stay away while the window is full. */
const WINDOW_PATIENCE_MS = 500;

/** The app of one queue pair. Throws a RangeError for traffic that makes no sense. */
export function makeApp(context: PairContext): App {
  const { workload } = context.plan;
  switch (workload.kind) {
    case 'raw':
      throw new Error('raw rings have no app');
    case 'rx':
      return new TrafficApp(context, null, handlerOf(context));
    case 'forward':
      return new ForwardApp(context, handlerOf(context));
    case 'rr': {
      const source = sourceOf(context, workload.traffic);
      return new RrApp(context, source, workload.timeoutMs ?? DEFAULT_TIMEOUT_MS, handlerOf(context));
    }
    case 'tx': {
      const { traffic, capture } = workload;
      const sender = isPlainUdp(traffic)
        ? preparedSender(context, traffic)
        : sourceSender(context, traffic, capture);
      return new TrafficApp(context, sender, handlerOf(context));
    }
    case 'verify': {
      const sends = workload.direction !== 'check';
      const sender = sends ? verifySender(context, workload.traffic) : null;
      return new TrafficApp(context, sender, handlerOf(context), windowOf(context));
    }
  }
}

/** The window of `verify` when what is sent comes back. */
function windowOf({ plan, pair }: PairContext): SendWindow | null {
  const { workload, counters, pairCount } = plan;
  if (workload.kind !== 'verify' || (workload.direction ?? 'both') !== 'both') return null;
  const frames = workload.window ?? Math.ceil(pair.rx.size / 2);
  return frames === 0 ? null : new SendWindow(frames, WINDOW_PATIENCE_MS, counters, pairCount);
}

function handlerOf({ plan, arena, number }: PairContext): FrameHandler {
  const { workload, captureNumber, pairCount } = plan;
  const isChecked = workload.kind === 'verify' && workload.direction !== 'send';
  const handler = isChecked
    ? new VerifyHandler(arena.u8, workload.traffic.seed, workload.traffic.flows ?? 1)
    : new CountingHandler();
  return captureNumber < 0
    ? handler
    : new CaptureHandler(captureNumber, arena.u8, number, pairCount, handler);
}

/** Traffic that can be prepared: sizes in their order and a constant rate. */
function isPlainUdp(traffic: TrafficSpec): boolean {
  const arrival = traffic.arrival?.kind ?? 'constant';
  return traffic.kind === 'udp' && arrival === 'constant' && traffic.sizeOrder !== 'random';
}

function isPaced(traffic: TrafficSpec): boolean {
  return traffic.kind === 'pcap' ? traffic.rate !== 'unpaced' : (traffic.rate ?? 'unpaced') !== 'unpaced';
}

function preparedSender(context: PairContext, traffic: TrafficSpec): PreparedSender {
  const { number, plan } = context;
  const pairs = plan.pairCount;
  const frames = new PreparedFrames(context.arena, traffic, number, pairs, context.scratch);
  const total = traffic.packets ?? Number.POSITIVE_INFINITY;
  const packets = Number.isFinite(total)
    ? Math.floor(total / pairs) + (number < total % pairs ? 1 : 0)
    : total;
  const make = (pace?: Pace): PreparedSender =>
    new PreparedSender(frames, context.tx.buffers, plan.burst, packets, number, pairs, pace);
  if (!isPaced(traffic)) return make();
  const rate = parseRate(traffic.rate!, traffic.lineBps);
  const share =
    rate.unit === 'unpaced' ? rate : { ...rate, value: Math.max(1, Math.round(rate.value / pairs)) };
  return make(new Pace(share, traffic.seed));
}

function sourceOf(context: PairContext, traffic: TrafficSpec, capture?: Uint8Array) {
  const unlimited = traffic.kind !== 'pcap' && traffic.packets === undefined;
  const spec = { ...traffic, ...(unlimited ? { packets: UNLIMITED } : {}) };
  return createSource(
    traffic.kind === 'pcap' || traffic.rate !== undefined ? spec : { ...spec, rate: 'unpaced' },
    {
      shard: context.number,
      shards: context.plan.pairCount,
      ...(capture === undefined ? {} : { capture }),
      maxFrameBytes: context.pair.txBuffers.frameBytes,
    },
  );
}

function sourceSender(context: PairContext, traffic: TrafficSpec, capture?: Uint8Array): SourceSender {
  const source = sourceOf(context, traffic, capture);
  return new SourceSender(source, context.arena.u8, context.agreement.headerBytes, isPaced(traffic));
}

function verifySender(context: PairContext, traffic: TrafficSpec): SourceSender {
  const source = createVerifySource(
    { ...traffic, rate: traffic.rate ?? 'unpaced' },
    { shard: context.number, shards: context.plan.pairCount },
  );
  return new SourceSender(source, context.arena.u8, context.agreement.headerBytes, isPaced(traffic));
}
