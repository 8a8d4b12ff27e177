import { createHash } from 'node:crypto';
import { compileCostProfile, costProfileSchema } from '@vhostlab/cost-profile/compiled';
import {
  CORE_ARENA_BYTES,
  type CoreStatistics,
  type ModuleRegistry,
  type RunPlan,
  VirtualRuntime,
} from '@vhostlab/engine';
import { createArena } from '@vhostlab/memory';
import { LogStore } from './log-store.ts';

const SLICE_RUNS = 50_000;
const ARENA_SLACK_BYTES = 4 * 1024 * 1024;

/** What one process counted, as JSON between lab and service. */
export interface ProcessResults {
  cores: CoreStatistics[];
  reachedPs: number;
  sentBytes: number;
}

/** How far a running process is. */
export interface Progress {
  /** Packets that the sinks have taken. */
  delivered: number;
  /** Moment of virtual time. */
  reachedPs: number;
}

/** The part of a run that lives in one process: its runtime, its arena and its part of the log. */
export class ProcessRuntime {
  readonly plan: RunPlan;
  readonly planSha256: Uint8Array;
  readonly services: readonly string[];
  readonly runtime: VirtualRuntime;
  readonly log = new LogStore();
  #stopped = false;

  constructor(
    planJson: Uint8Array,
    profileJson: string,
    services: readonly string[],
    modules: ModuleRegistry,
  ) {
    this.plan = JSON.parse(new TextDecoder().decode(planJson)) as RunPlan;
    this.planSha256 = createHash('sha256').update(planJson).digest();
    this.services = services;
    const profile = compileCostProfile(costProfileSchema.parse(JSON.parse(profileJson)));
    this.runtime = new VirtualRuntime({
      plan: this.plan,
      services,
      modules,
      arena: createArena(arenaBytes(this.plan, services)),
      profile,
      logSink: (chunk) => this.log.append(chunk),
    });
  }

  /**
   * Runs everything that starts before `limitPs`, giving the event loop a turn now and then.
   * Throws when `stop` was called meanwhile.
   */
  async advance(limitPs: number, onSlice?: () => void): Promise<void> {
    while (this.runtime.runUntil(limitPs, SLICE_RUNS)) {
      onSlice?.();
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#stopped) throw new Error('the run was stopped');
    }
  }

  progress(): Progress {
    return { delivered: this.runtime.total('frames.delivered'), reachedPs: this.runtime.reachedPs() };
  }

  results(): ProcessResults {
    return {
      cores: this.runtime.statistics(),
      reachedPs: this.runtime.reachedPs(),
      sentBytes: this.runtime.sentBytes,
    };
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.stop();
    this.log.close();
  }
}

/** Bytes of arena for the windows, link buffers and cores of `services`. */
export function arenaBytes(plan: RunPlan, services: readonly string[]): number {
  const here = new Set(plan.cores.filter(({ service }) => services.includes(service)).map(({ id }) => id));
  let links = 0;
  for (const channel of plan.channels) {
    if (!here.has(channel.a.core) && !here.has(channel.b.core)) continue;
    if (channel.kind === 'link') links += 4 * (channel.bufferBytes ?? (channel.capacity ?? 1024) * 2048);
  }
  const copies = plan.copyMode ? services.length : 1;
  const windows = plan.windows.reduce((sum, { bytes }) => sum + bytes + 4096, 0);
  const own = plan.cores.reduce(
    (sum, { id, arenaBytes }) => sum + (here.has(id) ? (arenaBytes ?? CORE_ARENA_BYTES) : 0),
    0,
  );
  return windows * copies + links + own + ARENA_SLACK_BYTES;
}
