import {
  assemble,
  type CompiledProfile,
  type ComponentPlan,
  type CoreModule,
  type CoreStatistics,
  OPS,
  RECORD,
  RECORD_BYTES,
  RECORD_EVENT,
  VirtualRuntime,
} from '@vhostlab/engine';
import { createArena } from '@vhostlab/memory';
import { nicModules } from '../src/index.ts';
import { guestModule } from './guest-core.ts';
import { hostModule } from './host-core.ts';
import { handlerModule, vfioModule, vmmModule } from './small-cores.ts';

/** Constants that the nic service asks for. */
export const CONSTANTS: Record<string, number> = {
  'pcie.gen3x8Gbps': 57.88,
  'pcie.gen3x16Gbps': 113.7,
  'pcie.gen4x16Gbps': 227.4,
  'pcie.tlpWriteHeaderBytes': 24,
  'pcie.tlpReadHeaderBytes': 24,
  'pcie.tlpCompletionHeaderBytes': 20,
  'pcie.maxPayloadBytes': 256,
  'pcie.maxReadRequestBytes': 512,
  'pcie.readLatencyNs': 480,
  'pcie.outstandingReads': 64,
  'latency.dma.baNs': 250,
  'iotlb.entries': 64,
  'iotlb.missLatencyNs': 280,
  'iotlb.walkOccupancyNs': 51,
  'nic.msixModerationNs': 8000,
  'nic.msixModerationFrames': 32,
  'nic.rxPipelineNs': 300,
  'nic.txPipelineNs': 300,
  'nic.txBufferBytes': 65536,
  'nic.batchWindowNs': 200,
  'nic.writeBackBatch': 8,
  'nic.descriptorPrefetch': 40,
  'nic.eswitchNs': 300,
  'nic.eswitchGbps': 100,
  'nic.eswitchMpps': 60,
  'eswitch.insertsPerSecond': 50_000,
  'eswitch.tableEntries': 1024,
  'eswitch.outstandingUpcalls': 256,
  'eswitch.holdFrames': 512,
  'eswitch.holdBytes': 1_048_576,
  'eswitch.representorNs': 1500,
  'flow.idleTimeoutNs': 1e10,
  'station.turnaroundNs': 1000,
  'run.trafficStartNs': 2_000_000,
  'run.learningNs': 0,
};

/** Costs for tests: 5 ns per operation. */
export function testProfile(constants: Record<string, number> = {}): CompiledProfile {
  return {
    name: 'test',
    fixedPs: new Float64Array(OPS.length).fill(5000),
    perBytePs: new Float64Array(OPS.length),
    constants: new Map(Object.entries({ ...CONSTANTS, ...constants })),
  };
}

const LATENCY_PS: Record<string, number> = {
  coherent: 60_000,
  dma: 250_000,
  register: 300_000,
  ring: 60_000,
  wire: 1_000_000,
  netlink: 5_000_000,
  syscall: 2_000_000,
  ipi: 1_200_000,
};

/** Moment at which traffic starts in tests. */
export const START_PS = 2_000_000_000;

/** One event of a sampled packet. */
export interface LogEvent {
  atPs: number;
  packet: number;
  stage: string;
  core: string;
  length: number;
}

/** What a run left behind. */
export interface Outcome {
  cores: Map<string, CoreStatistics>;
  log: Buffer;
  events: LogEvent[];
  runs: number;
  /** Sum of a counter over all cores. */
  total(name: string): number;
  /** All `drop.` counters together, and by reason. */
  dropped: number;
  drops: Record<string, number>;
}

const modules: ReadonlyMap<string, CoreModule> = new Map<string, CoreModule>([
  ...nicModules,
  ['test/guest', guestModule],
  ['test/host', hostModule],
  ['test/handler', handlerModule],
  ['test/vfio', vfioModule],
  ['test/vmm', vmmModule],
]);

/** Runs components to their end in one process. */
export function run(
  components: ComponentPlan[],
  options: { copyMode?: boolean; stride?: number; constants?: Record<string, number>; limitPs?: number } = {},
): Outcome {
  const plan = assemble(components, (latency) => LATENCY_PS[latency], {
    seed: 1,
    sampling: { stride: options.stride ?? 0 },
    accountFromPs: 0,
    copyMode: options.copyMode ?? false,
  });
  const chunks: Uint8Array[] = [];
  const runtime = new VirtualRuntime({
    plan,
    services: [...new Set(plan.cores.map(({ service }) => service))],
    modules,
    arena: createArena(256 * 1024 * 1024),
    profile: testProfile(options.constants),
    logSink: (chunk) => void chunks.push(chunk.slice()),
  });
  runtime.runUntil(options.limitPs ?? Number.POSITIVE_INFINITY, 20_000_000);
  runtime.log.flush();
  const statistics = runtime.statistics();
  const drops: Record<string, number> = {};
  for (const { counters } of statistics) {
    for (const [name, value] of Object.entries(counters)) {
      if (name.startsWith('drop.') && value > 0) drops[name.slice(5)] = (drops[name.slice(5)] ?? 0) + value;
    }
  }
  const log = Buffer.concat(chunks);
  return {
    cores: new Map(statistics.map((core) => [core.id, core])),
    log,
    events: decode(log, runtime.log.strings),
    runs: runtime.runs,
    total: (name) => statistics.reduce((sum, { counters }) => sum + (counters[name] ?? 0), 0),
    dropped: Object.values(drops).reduce((sum, value) => sum + value, 0),
    drops,
  };
}

function decode(log: Buffer, strings: string[]): LogEvent[] {
  const events: LogEvent[] = [];
  for (let at = 0; at < log.length; at += RECORD_BYTES) {
    if (log.readUInt16LE(at + RECORD.kind) !== RECORD_EVENT) continue;
    events.push({
      atPs: log.readUInt32LE(at + RECORD.timePs) + log.readUInt32LE(at + RECORD.timePs + 4) * 2 ** 32,
      packet: log.readUInt32LE(at + RECORD.packet),
      stage: strings[log.readUInt16LE(at + RECORD.stage)],
      core: strings[log.readUInt16LE(at + RECORD.core)],
      length: log.readUInt32LE(at + RECORD.length),
    });
  }
  return events;
}

/** A core's result by name. */
export function resultOf<T>(outcome: Outcome, core: string, name: string): T {
  return outcome.cores.get(core)?.results[name] as T;
}
