import {
  type CoreContext,
  type CoreModule,
  DONE,
  emptyFrameMeta,
  HOLD,
  IDLE,
  type LinkEnd,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { hex, testFrame } from './frames.ts';

/** The other core of a pipeline for tests: what it puts into the ring, and when. */
export interface StageCoreConfig {
  end: string;
  /** Ports of the frames, in turn. */
  ports: number[];
  frames: number;
  lengths: number[];
  startPs: number;
  gapPs: number;
  /** Busy with something else until then: the ring fills. */
  busyUntilPs: number;
}

/** What the core collects as `stage`: frames that came over the ring, in order. */
export type StageCoreResult = { packet: number; port: number; bytes: string }[];

class StageCore implements Task {
  readonly name = 'test.stage';
  readonly #context: CoreContext;
  readonly #config: StageCoreConfig;
  readonly #link: LinkEnd;
  readonly #buffer: number;
  readonly #meta = emptyFrameMeta();
  readonly #received: StageCoreResult = [];
  #next = 0;

  constructor(context: CoreContext, config: StageCoreConfig) {
    this.#context = context;
    this.#config = config;
    this.#link = context.link(config.end);
    this.#buffer = context.arena.alloc(2048);
    context.onCollect('stage', () => this.#received);
  }

  run(): TaskResult {
    const { frames, busyUntilPs, startPs, gapPs } = this.#config;
    if (this.#context.now() < busyUntilPs) {
      this.#context.holdOn(this.#context.delay(busyUntilPs));
      return HOLD;
    }
    const sent = this.#send();
    const received = this.#receive();
    if (sent || received) return DONE;
    if (this.#next < frames) this.#context.wakeAt(startPs + this.#next * gapPs);
    return IDLE;
  }

  #send(): boolean {
    const { ports, frames, lengths, startPs, gapPs } = this.#config;
    const from = this.#next;
    const now = this.#context.now();
    for (; this.#next < frames && startPs + this.#next * gapPs <= now; this.#next++) {
      const frame = testFrame(this.#next, lengths[this.#next % lengths.length]);
      this.#context.arena.u8.set(frame, this.#buffer);
      this.#meta.packet = this.#next;
      this.#meta.bornPs = now;
      this.#meta.aux = ports[this.#next % ports.length];
      this.#context.counter('frames.offered').value++;
      if (!this.#link.send(this.#buffer, frame.length, this.#meta, now)) {
        this.#context.counter('drop.test-stage-full').value++;
      }
    }
    return this.#next > from;
  }

  #receive(): boolean {
    let count = 0;
    while (this.#link.receive()) {
      const { offset, length, meta } = this.#link;
      const bytes = hex(this.#context.arena.u8.subarray(offset, offset + length));
      this.#received.push({ packet: meta.packet, port: meta.aux, bytes });
      this.#context.counter('frames.delivered').value++;
      this.#link.release();
      count++;
    }
    return count > 0;
  }
}

/** Core module of a pipeline's other core for tests. */
export const stageCoreModule: CoreModule = {
  create(context: CoreContext, config: StageCoreConfig): void {
    context.addTask(new StageCore(context, config));
  },
};
