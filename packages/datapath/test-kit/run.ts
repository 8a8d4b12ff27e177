import {
  assemble,
  type CompiledProfile,
  type ComponentPlan,
  type CoreStatistics,
  type ModuleRegistry,
  OPS,
  type RuntimeOptions,
  VirtualRuntime,
} from '@vhostlab/engine';
import { createArena } from '@vhostlab/memory';

const CONSTANTS = new Map([
  ['pmd.burst', 32],
  ['upcall.queueFrames', 64],
  ['tlb.l1Entries4K', 64],
  ['tlb.l1Entries2M', 32],
  ['tlb.l1Entries1G', 4],
  ['tlb.l2Entries', 1536],
  ['tlb.l2Entries1G', 16],
]);

/** Costs for tests: every operation 5 ns and 0.1 ns per byte; `constants` are added to those of a polled back end. */
export function testProfile(constants: Record<string, number> = {}): CompiledProfile {
  return {
    name: 'test',
    fixedPs: new Float64Array(OPS.length).fill(5000),
    perBytePs: new Float64Array(OPS.length).fill(100),
    constants: new Map([...CONSTANTS, ...Object.entries(constants)]),
  };
}

/** What the cores of a run counted, on either clock. */
export interface CoreOutcome<Core> {
  cores: Core[];
  core(id: string): Core;
  /** Sum of a counter over all cores. */
  total(counter: string): number;
  /** All drops by reason. */
  drops(): Record<string, number>;
}

/** What a test run left behind. */
export interface TestOutcome extends CoreOutcome<CoreStatistics> {
  log: Uint8Array;
  /** Moment at which everything was done. */
  reachedPs: number;
  strings: readonly string[];
}

/** Looks at the statistics of cores. */
export function coreOutcome<Core extends { id: string; counters: Record<string, number> }>(
  cores: Core[],
): CoreOutcome<Core> {
  return {
    cores,
    core: (id) => {
      const core = cores.find((one) => one.id === id);
      if (core === undefined) throw new Error(`no core named ${id}`);
      return core;
    },
    total: (counter) => cores.reduce((sum, { counters }) => sum + (counters[counter] ?? 0), 0),
    drops: () => {
      const found: Record<string, number> = {};
      for (const { counters } of cores) {
        for (const [name, value] of Object.entries(counters)) {
          if (name.startsWith('drop.') && value > 0) {
            found[name.slice(5)] = (found[name.slice(5)] ?? 0) + value;
          }
        }
      }
      return found;
    },
  };
}

/** How components are run. */
export interface RunComponentsOptions {
  copyMode?: boolean;
  stride?: number;
  profile?: CompiledProfile;
  limitPs?: number;
  extraLatency?: RuntimeOptions['extraLatency'];
}

/**
 * Runs components to their end, each latency 100 ns. Throws when they have not come to rest after `limitPs` of
 * virtual time (10 ms).
 */
export function runComponents(
  components: readonly ComponentPlan[],
  modules: ModuleRegistry,
  options: RunComponentsOptions = {},
): TestOutcome {
  const plan = assemble(components, () => 100_000, {
    seed: 1,
    sampling: { stride: options.stride ?? 1 },
    accountFromPs: 0,
    copyMode: options.copyMode ?? false,
  });
  const chunks: Uint8Array[] = [];
  const bytes = plan.windows.reduce((sum, window) => sum + window.bytes + 4096, 0);
  const runtime = new VirtualRuntime({
    plan,
    services: [...new Set(plan.cores.map(({ service }) => service))],
    modules,
    arena: createArena(bytes * (plan.copyMode ? 4 : 1) + (32 << 20)),
    profile: options.profile ?? testProfile(),
    ...(options.extraLatency === undefined ? {} : { extraLatency: options.extraLatency }),
    logSink: (chunk) => void chunks.push(chunk.slice()),
  });
  const limitPs = options.limitPs ?? 1e10;
  runtime.runUntil(limitPs);
  if (runtime.nextPs() < Number.POSITIVE_INFINITY) throw new Error(`not at rest after ${limitPs} ps`);
  runtime.log.flush();
  return {
    ...coreOutcome(runtime.statistics()),
    log: concat(chunks),
    reachedPs: runtime.reachedPs(),
    strings: runtime.log.strings,
  };
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
