import type { Fd } from '@vhostlab/host';
import { clauseOf, type MemRegion, type Message } from '@vhostlab/vhost-user';
import type { RingFacts, SessionState } from '../flow/session-state.ts';
import type { RegionProblem, WatchedMemory } from '../memory/watched-memory.ts';
import type { Journal } from './journal.ts';
import type { RingSet } from './ring-set.ts';

/** Follows SET_MEM_TABLE, ADD_MEM_REG and REM_MEM_REG. */
export class MemoryMessages {
  readonly #session: number;
  readonly #memory: WatchedMemory;
  readonly #rings: RingSet;
  readonly #state: SessionState;
  readonly #journal: Journal;

  constructor(session: number, memory: WatchedMemory, rings: RingSet, state: SessionState, journal: Journal) {
    this.#session = session;
    this.#memory = memory;
    this.#rings = rings;
    this.#state = state;
    this.#journal = journal;
  }

  /** Before the message goes on. `running`: rings as they were before it. */
  apply(message: Message, fds: readonly Fd[], running: readonly RingFacts[]): void {
    const { payload, name } = message;
    if (payload?.kind === 'mem-table') {
      // an empty table is how a front end acknowledges addresses of postcopy
      if (payload.regions.length === 0) return;
      this.#change(running, () => {
        this.#memory.clear();
        payload.regions.forEach((region, at) => {
          this.#add(name, region, fds[at]);
        });
      });
    } else if (payload?.kind === 'mem-region' && name === 'ADD_MEM_REG') {
      this.#add(name, payload.region, fds[0]);
    } else if (payload?.kind === 'mem-region' && name === 'REM_MEM_REG') {
      this.#change(running, () => this.#report(name, this.#memory.remove(payload.region)));
    }
  }

  /** A change that may take memory away under rings that run. */
  #change(running: readonly RingFacts[], change: () => void): void {
    this.#rings.stopAll();
    change();
    this.#rings.replace(running);
  }

  #add(name: string, region: MemRegion, fd: Fd | undefined): void {
    if (fd === undefined) return;
    const { memSlots } = this.#state;
    const count = this.#memory.regions.length;
    if (name === 'ADD_MEM_REG' && memSlots !== null && count >= memSlots) {
      const text = `a region is added to ${count}, the back end has ${memSlots} slots`;
      this.#report(name, { code: 'region-slots', text });
    }
    this.#report(name, this.#memory.add(region, fd));
  }

  #report(name: string, problem: RegionProblem | null): void {
    if (problem === null) return;
    const { code, text } = problem;
    if (code === null) this.#journal.note(this.#session, 'note', text);
    else {
      const violation = { code, party: 'front end', text, clause: clauseOf(name) } as const;
      this.#journal.violation(this.#session, null, violation);
    }
  }
}
