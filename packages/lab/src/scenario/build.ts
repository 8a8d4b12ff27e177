import type { ScenarioConfig, ScenarioEvent, TrafficSpec, WorkloadName } from '@vhostlab/workload';
import { scenarioEvents } from '../lab-file/events/lab-event.ts';
import { type CompareOptions, DEFAULT_PACKETS } from './options.ts';
import { type BackendLike, lacks, rowOf } from './rows.ts';

/** Bulk data of `stream` per write of the application. */
const STREAM_WRITE_BYTES = 65_536;

/** A capture that is replayed: its bytes and its number of frames. */
export interface Capture {
  bytes: Uint8Array;
  frames: number;
}

/** Flows of the bridge by workload: two ports that forward to each other. Port 1 is the wire, 10 + g guest g. */
export function defaultFlows(workload: WorkloadName): string[] {
  return workload === 'v2v'
    ? ['in_port=10,actions=output:11', 'in_port=11,actions=output:10']
    : ['in_port=1,actions=output:10', 'in_port=10,actions=output:1'];
}

/** Packets of a scenario. */
export function packetsOf(
  workload: WorkloadName,
  options: CompareOptions,
  capture: Capture | undefined,
): number {
  return options.packets ?? capture?.frames ?? DEFAULT_PACKETS[workload];
}

/** The scenario of one back end and workload. Options that the back end lacks are replaced as its row says. */
export function buildScenario(
  like: BackendLike,
  workload: WorkloadName,
  options: CompareOptions,
  capture: Capture | undefined,
): ScenarioConfig {
  const { backend, plugin } = rowOf(like);
  const has = (capability: string): boolean =>
    plugin === undefined || lacks(plugin, capability) === undefined;
  const offers = backend !== 'vhost-user' || (options.vhostUserOffloads && has('offload.csum'));
  const isSplit = backend === 'vhost-net' || !has('rings.packed');
  const guest = options.guest ?? (workload === 'rr' || workload === 'stream' ? 'interrupt' : 'poll');
  // a capture tests bytes: segmentation and coalescing would make other frames of them
  const offloads =
    capture !== undefined ? { csum: false, tso: false, mrg: true } : { csum: offers, tso: offers, mrg: true };
  return {
    backend,
    ...(plugin === undefined ? {} : { plugin: { name: plugin.definition.name, options: plugin.options } }),
    workload,
    guests: workload === 'v2v' ? 2 : 1,
    queues: options.queues,
    ring: isSplit ? 'split' : options.ring,
    // a row that runs split in place of packed needs a size that a split ring has
    ringSize: isSplit ? 2 ** Math.ceil(Math.log2(options.ringSize)) : options.ringSize,
    pages: options.pages,
    execution: backend === 'vhost-user' && has('execution.pipeline') ? options.execution : 'rtc',
    guest,
    offloads,
    nic: { pcie: options.pcie, rateGbps: options.rateGbps },
    ...(options.without === undefined ? {} : { without: options.without }),
    ...(options.vdpaLacks === undefined ? {} : { vdpaLacks: options.vdpaLacks }),
    flows: options.flowTable ?? defaultFlows(workload),
    traffic: trafficOf(workload, options, offloads.tso, capture),
    ...(capture === undefined ? {} : { capture: Buffer.from(capture.bytes).toString('base64') }),
    faults: [],
    // left out when there are none: a service that knows no events takes such a scenario
    ...((options.events ?? []).length === 0 ? {} : { events: eventsOf(options, capture) }),
    seed: options.seed,
  };
}

/** The events of a run; a back end that a guest goes to offers what a row of its own would. */
function eventsOf(options: CompareOptions, capture: Capture | undefined): ScenarioEvent[] {
  return scenarioEvents(options.events ?? []).map((event) => {
    if (event.kind !== 'swap') return event;
    const offers = capture === undefined && (event.to !== 'vhost-user' || options.vhostUserOffloads);
    return { ...event, offloads: { csum: offers, tso: offers, mrg: true } };
  });
}

function trafficOf(
  workload: WorkloadName,
  options: CompareOptions,
  tso: boolean,
  capture: Capture | undefined,
): TrafficSpec {
  const common = {
    packets: packetsOf(workload, options, capture),
    lineBps: options.rateGbps * 1e9,
    seed: options.seed,
  };
  if (capture !== undefined) {
    // without a rate a capture is paced so that nothing drops on the slowest back end
    return { ...common, kind: 'pcap', rate: options.rate ?? (workload === 'rx' ? '100kpps' : 'line') };
  }
  const rate =
    options.rate ?? (workload === 'tx' || workload === 'v2v' || workload === 'stream' ? 'unpaced' : 'line');
  if (workload === 'stream') {
    return {
      ...common,
      kind: 'tcp-stream',
      flows: options.flows,
      rate,
      gso: tso,
      checksumOffload: tso,
      ...(tso ? {} : { size: String(STREAM_WRITE_BYTES) }),
    };
  }
  return { ...common, kind: 'udp', size: options.size, flows: options.flows, rate };
}
