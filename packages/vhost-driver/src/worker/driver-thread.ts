import { attachArena, setAffinity, type ThreadInbox } from '@vhostlab/host';
import { Arena } from '@vhostlab/memory';
import type { RingRestart } from '../options.ts';
import type { AppReport, RingFds, WorkerCommand, WorkerNote } from './commands.ts';
import { Idle } from './idle.ts';
import { PairRunner } from './pair-runner.ts';
import type { Agreement, WorkerPlan } from './plan.ts';

/** A worker: turns over its queue pairs until it is told to quit, and answers commands between two turns. */
export class DriverThread {
  readonly #inbox: ThreadInbox;
  readonly #plan: WorkerPlan;
  readonly #arena: Arena;
  readonly #idle: Idle;
  #pairs: PairRunner[] = [];
  #scratchNext: number;
  #isAttached = false;
  #isQuitting = false;
  #saidDone = false;
  #finishes = 0;

  constructor(inbox: ThreadInbox) {
    this.#inbox = inbox;
    this.#plan = inbox.data as WorkerPlan;
    const { arenaAddress, arenaBytes, cpu, scratchOffset } = this.#plan;
    if (cpu !== undefined) setAffinity([cpu]);
    this.#arena = new Arena(attachArena(arenaAddress, arenaBytes).buffer);
    this.#idle = new Idle(inbox.wakeNumber);
    this.#scratchNext = scratchOffset;
  }

  run(): void {
    const isInterrupt = this.#plan.wait === 'interrupt';
    const handle = (body: unknown): unknown => this.#handle(body as WorkerCommand);
    while (!this.#isQuitting) {
      this.#inbox.serve(handle);
      if (this.#isQuitting) break;
      if (!this.#isAttached) {
        this.#idle.forCommand();
      } else if (!this.#turn()) {
        this.#look();
        if (isInterrupt) this.#idle.forWork(this.#pairs);
      }
    }
    this.#idle.close();
  }

  #turn(): boolean {
    const pairs = this.#pairs;
    let worked = false;
    for (let i = 0; i < pairs.length; i++) if (pairs[i].app.turn()) worked = true;
    return worked;
  }

  /** After a turn without work: is a ring broken, is everything done? */
  #look(): void {
    let isDone = true;
    for (const { app, rings } of this.#pairs) {
      let isBroken = false;
      for (const ring of rings) {
        if (ring.queue.violation === 0) continue;
        isBroken = true;
        const violation = ring.newViolation();
        if (violation !== undefined) this.#note({ kind: 'broken', queue: ring.plan.index, violation });
      }
      isDone &&= isBroken || app.isDone;
    }
    if (!isDone || this.#saidDone) return;
    this.#saidDone = true;
    this.#note({ kind: 'done', finishes: this.#finishes });
  }

  #note(note: WorkerNote): void {
    this.#inbox.note(note);
  }

  #handle(command: WorkerCommand): unknown {
    switch (command.kind) {
      case 'configure':
        return this.#configure(command.agreement);
      case 'attach':
        return this.#attach(command.rings);
      case 'detach':
        return this.#detach();
      case 'sound':
        return this.#pairs.every(({ rings }) => rings.every(({ queue }) => queue.violation === 0));
      case 'keep':
        return this.#pairs.flatMap((pair): RingRestart[] => pair.keep());
      case 'rewind':
        return this.#pairs.flatMap((pair): RingRestart[] => pair.rewind(command.agreement));
      case 'finish':
        for (const { app } of this.#pairs) app.finish();
        this.#saidDone = false;
        this.#finishes++;
        return undefined;
      case 'report':
        return this.#pairs.map((pair): AppReport => pair.report());
      case 'quit':
        this.#isQuitting = true;
        return undefined;
    }
  }

  #configure(agreement: Agreement): void {
    const scratch = (bytes: number): number => this.#scratch(bytes);
    this.#pairs = this.#plan.pairs.map(
      (pair) => new PairRunner(this.#arena, this.#plan, pair, agreement, scratch),
    );
  }

  #scratch(bytes: number): number {
    const at = this.#scratchNext;
    this.#scratchNext = Math.ceil((at + bytes) / 64) * 64;
    if (this.#scratchNext > this.#plan.scratchOffset + this.#plan.scratchBytes) {
      throw new Error(`${bytes} bytes of scratch memory are not there`);
    }
    return at;
  }

  #attach(rings: readonly RingFds[]): void {
    const waits = this.#plan.wait === 'interrupt';
    for (const { index, kick, call } of rings) {
      const pair = this.#pairs.find(({ rings: [rx] }) => rx.plan.index === (index & ~1));
      if (pair === undefined) continue;
      pair.attach(index, kick, call);
      const ring = pair.rings[index & 1];
      if (waits) this.#idle.watch(ring);
      else ring.queue.disableInterrupts();
    }
    this.#isAttached = true;
  }

  #detach(): void {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    for (const pair of this.#pairs) {
      for (const ring of pair.rings) this.#idle.unwatch(ring);
      pair.detach();
    }
  }
}
