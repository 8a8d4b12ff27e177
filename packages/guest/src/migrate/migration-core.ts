import type { ControlEnd, CoreContext, CoreModule, Procedure, Ticket } from '@vhostlab/engine';
import { DIRTY_PAGE_BYTES } from '@vhostlab/memory';
import { DueEvents } from '@vhostlab/workload';
import {
  MIGRATION_BEGIN,
  MIGRATION_GO_ON,
  MIGRATION_STOP,
  MIGRATION_WRITTEN,
  momentOf,
  SHADOWED,
  sentenceOf,
} from './methods.ts';
import type { MigrationConfig } from './migration-config.ts';
import { type DirtyPages, PreCopy } from './pre-copy.ts';
import { type MigrationPhaseName, newReport } from './report.ts';

/** Pages that are handed to the link at once. */
const BURST = 16;
/** Stale pages that are named. */
const NAMED = 8;
const NOTHING = new Uint8Array(0);

/** The migration thread of a VMM: copies guest memory to another host in rounds, and says when the guest stops. */
export const migrationModule: CoreModule = {
  create(context: CoreContext, config: MigrationConfig): void {
    context.spawn('migration', new MigrationThread(context, config).run());
  },
};

class MigrationThread {
  readonly #context: CoreContext;
  readonly #config: MigrationConfig;
  readonly #vmm: ControlEnd;
  readonly #copy: PreCopy;
  readonly #report;
  readonly #pages = new Float64Array(BURST);
  readonly #from: number;
  readonly #to: number;
  readonly #opSend: number;

  constructor(context: CoreContext, config: MigrationConfig) {
    this.#context = context;
    this.#config = config;
    this.#vmm = context.control('vmm');
    this.#copy = new PreCopy(config.memoryBytes, config.event);
    this.#report = newReport(config.event.number, config.guest, config.event.to);
    this.#report.memoryPages = Math.ceil(config.memoryBytes / DIRTY_PAGE_BYTES);
    this.#report.rounds = this.#copy.rounds;
    this.#from = context.window(config.window);
    this.#to = context.window(config.arrival);
    this.#opSend = context.op('migration.send');
    context.onCollect('migration', () => this.#report);
  }

  *run(): Procedure {
    const context = this.#context;
    const report = this.#report;
    const due = new DueEvents(context, 'migrate', [this.#config.event]);
    yield context.delay(due.nextPs);
    due.take(context.now());
    const begunPs = context.now();
    const begun = yield this.#vmm.request(MIGRATION_BEGIN, NOTHING);
    if (begun.value > SHADOWED) {
      report.state = 'refused';
      report.reason = sentenceOf(begun.bytes);
      this.#note(`migration refused: ${report.reason}`, 0);
      return;
    }
    // what cannot be trusted is said and goes on
    report.reason = sentenceOf(begun.bytes);
    this.#phase('setup', begunPs);
    const copyPs = context.now();
    this.#copy.begin(copyPs);
    do yield* this.#round();
    while (
      this.#copy.roundOver(written(yield this.#vmm.request(MIGRATION_WRITTEN, NOTHING)), context.now()) ===
      'copy'
    );
    this.#phase(begun.value === SHADOWED ? 'shadow' : 'copy', copyPs);
    const stopPs = context.now();
    const stopped = yield this.#vmm.request(MIGRATION_STOP, NOTHING);
    if (stopped.value !== 0) {
      report.reason = sentenceOf(stopped.bytes);
      return;
    }
    report.pausedPs = momentOf(stopped.bytes);
    this.#copy.last(dirtyOf(stopped.bytes.subarray(8)), context.now());
    yield* this.#round();
    yield context.delay(Math.max(context.now(), this.#copy.arrivedPs));
    this.#compare();
    const gone = yield this.#vmm.request(MIGRATION_GO_ON, NOTHING);
    if (gone.value !== 0) {
      report.reason = sentenceOf(gone.bytes);
      return;
    }
    report.resumedPs = momentOf(gone.bytes);
    this.#phase('stop', stopPs);
    report.phases.push({ name: 'resumed', fromPs: context.now(), toPs: context.now() });
    report.state = 'complete';
    this.#note(`migrated to ${report.to}, ${report.stalePages} stale pages`, this.#copy.rounds.length);
  }

  /** Sends the pages of the round, no faster than the link takes them. */
  *#round(): Procedure {
    const context = this.#context;
    const round = this.#copy.rounds[this.#copy.rounds.length - 1];
    for (;;) {
      const count = this.#copy.next(this.#pages, context.now());
      if (count === 0) break;
      for (let i = 0; i < count; i++) {
        const at = this.#pages[i] * DIRTY_PAGE_BYTES;
        const bytes = Math.min(DIRTY_PAGE_BYTES, this.#config.memoryBytes - at);
        context.arena.copy(this.#to + at, this.#from + at, bytes);
      }
      context.meter.charge(this.#opSend, count, count * DIRTY_PAGE_BYTES);
      if (this.#copy.readyPs > context.now()) yield context.delay(this.#copy.readyPs);
    }
    this.#note(`round ${this.#copy.rounds.length} copied ${round.pages} pages`, round.pages);
  }

  /** Looks whether the guest's memory is the same on both hosts. Costs nothing: no machine does it. */
  #compare(): void {
    const { u32 } = this.#context.arena;
    const report = this.#report;
    for (let page = 0; page < report.memoryPages; page++) {
      const at = page * DIRTY_PAGE_BYTES;
      const bytes = Math.min(DIRTY_PAGE_BYTES, this.#config.memoryBytes - at);
      const from = (this.#from + at) >>> 2;
      const to = (this.#to + at) >>> 2;
      let same = true;
      for (let i = 0; i < bytes >>> 2 && same; i++) same = u32[from + i] === u32[to + i];
      if (same) continue;
      if (report.stalePages++ < NAMED) report.staleAt.push(at);
    }
  }

  #phase(name: MigrationPhaseName, fromPs: number): void {
    this.#report.phases.push({ name, fromPs, toPs: this.#context.now() });
  }

  #note(text: string, value: number): void {
    const { guest } = this.#config;
    this.#context.recorder.note(this.#context.stage('setup'), `guest ${guest}: ${text}`, guest, value);
  }
}

function written(ticket: Ticket): DirtyPages {
  return dirtyOf(ticket.bytes);
}

/** Two logs of equal length, one behind the other. */
function dirtyOf(bytes: Uint8Array): DirtyPages {
  const half = bytes.length >>> 1;
  return { vcpus: bytes.subarray(0, half), backend: bytes.subarray(half) };
}
