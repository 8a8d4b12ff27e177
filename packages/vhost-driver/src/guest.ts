import type { Fd } from '@vhostlab/host';
import { makeCaptureFile } from './capture-file.ts';
import { longestFrameOf } from './longest-frame.ts';
import { GuestMemory } from './memory/guest-memory.ts';
import { planPairs } from './memory/queue-memory.ts';
import type { Settings } from './options.ts';
import { counterMemory } from './worker/counters.ts';
import type { Agreement, PairPlan, QueuePlan } from './worker/plan.ts';
import { scratchBytes, WorkerPool } from './worker-pool.ts';

/** Where a packed ring begins that was never used (virtio 1.3, 2.8.1), as SET_VRING_BASE has it. */
const PACKED_START = 0x80008000;

/** The guest without its back end: memory, rings, and from the first agreement on the threads that drive them. */
export class Guest {
  readonly memory: GuestMemory;
  readonly rings: readonly QueuePlan[];
  readonly counters: SharedArrayBuffer;
  /** Undefined before `start`, and for workload `raw`. */
  pool: WorkerPool | undefined;
  readonly #settings: Settings;
  readonly #pairs: readonly PairPlan[];
  readonly #capture: Fd | undefined;

  /** Throws a FrontendError: no memory, no room in it, traffic that makes no sense, a capture file that cannot be made. */
  constructor(settings: Settings) {
    this.#settings = settings;
    const { workload, workers, queues, writePcap } = settings;
    const longestFrame = longestFrameOf(workload);
    this.memory = GuestMemory.create({
      bytes: settings.memoryBytes,
      regions: settings.regions,
      hugePages: settings.hugePages,
      scratchBytes: workload.kind === 'raw' ? 0 : scratchBytes(settings) * workers,
      warn: (text) => settings.onEvent({ kind: 'warning', text }),
    });
    this.counters = counterMemory(2 * queues);
    try {
      this.#pairs = planPairs(this.memory, settings, longestFrame);
      this.rings = this.#pairs.flatMap(({ rx, tx }) => [rx, tx]);
      this.#capture = writePcap === undefined ? undefined : makeCaptureFile(writePcap, queues);
    } catch (error) {
      this.memory.close();
      throw error;
    }
  }

  /** Starts the threads, which takes longer than all that a back end is told; resolves when they obey. Once. */
  async start(listen: (pool: WorkerPool) => void): Promise<void> {
    const settings = this.#settings;
    if (settings.workload.kind === 'raw') return;
    const scratch = scratchBytes(settings);
    this.pool = new WorkerPool(
      settings,
      {
        arenaAddress: this.memory.mapped.address,
        arenaBytes: this.memory.mapped.sizeBytes,
        wait: settings.wait,
        burst: settings.burst,
        txLayout: settings.txLayout,
        workload: settings.workload,
        scratchBytes: scratch,
        counters: this.counters,
        pairCount: settings.queues,
        captureNumber: this.#capture?.number ?? -1,
      },
      this.#pairs,
      Array.from({ length: settings.workers }, () => this.memory.allocScratch(scratch)),
    );
    listen(this.pool);
    await this.pool.isSound();
  }

  /** Lets the threads make rings and apps. Once. */
  async configure(agreement: Agreement): Promise<void> {
    await this.pool?.configure(agreement);
  }

  /** Bases of rings that were never used. */
  startBases(): number[] {
    return this.rings.map(({ format }) => (format === 'packed' ? PACKED_START : 0));
  }

  /** Ends the threads and gives everything back. */
  async close(): Promise<void> {
    await this.pool?.close();
    this.#capture?.close();
    this.memory.close();
  }
}
