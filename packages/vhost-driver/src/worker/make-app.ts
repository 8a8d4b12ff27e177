import { createSource, parseRate, type TrafficSpec } from '@vhostlab/workload';
import type { App, PairContext } from './app.ts';
import { ForwardApp } from './forward-app.ts';
import { CountingHandler, type FrameHandler } from './frame-handler.ts';
import { Pace } from './pace.ts';
import { PreparedFrames } from './prepared-frames.ts';
import { PreparedSender } from './prepared-sender.ts';
import { RrApp } from './rr-app.ts';
import { SourceSender } from './source-sender.ts';
import { TrafficApp } from './traffic-app.ts';

/** Frames of a stream whose number is not limited: as many as a source can number. */
const UNLIMITED = 1e9;
const DEFAULT_TIMEOUT_MS = 1000;

/** The app of one queue pair. Throws a RangeError for traffic that makes no sense. */
export function makeApp(context: PairContext): App {
  const { workload } = context.plan;
  switch (workload.kind) {
    case 'raw':
      throw new Error('raw rings have no app');
    case 'rx':
      return new TrafficApp(context, null, handlerOf(context));
    case 'forward':
      return new ForwardApp(context);
    case 'rr':
      return new RrApp(
        context,
        sourceOf(context, workload.traffic),
        workload.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      );
    case 'tx':
      return isPlainUdp(workload.traffic)
        ? new TrafficApp(context, preparedSender(context, workload.traffic), handlerOf(context))
        : new TrafficApp(
            context,
            sourceSender(context, workload.traffic, workload.capture),
            handlerOf(context),
          );
    case 'verify':
      return new TrafficApp(context, sourceSender(context, workload.traffic), handlerOf(context));
  }
}

function handlerOf(_context: PairContext): FrameHandler {
  return new CountingHandler();
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
  if (!isPaced(traffic)) return new PreparedSender(frames, packets, number, pairs);
  const rate = parseRate(traffic.rate!, traffic.lineBps);
  const share =
    rate.unit === 'unpaced' ? rate : { ...rate, value: Math.max(1, Math.round(rate.value / pairs)) };
  return new PreparedSender(frames, packets, number, pairs, new Pace(share, traffic.seed));
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
