import { eventFdId, type Fd } from '@vhostlab/host';
import { NotificationStep } from './notification-step.ts';
import type { RingSet } from './ring-set.ts';
import type { SessionSurroundings } from './session-surroundings.ts';

const KINDS: Readonly<Record<string, 'kick' | 'call'>> = { SET_VRING_KICK: 'kick', SET_VRING_CALL: 'call' };

/** The kick and call descriptors of one session that the tap has stepped into. */
export class NotificationSteps {
  readonly #session: number;
  readonly #shared: SessionSurroundings;
  readonly #rings: RingSet;
  readonly #steps = new Map<string, NotificationStep>();

  constructor(session: number, shared: SessionSurroundings, rings: RingSet) {
    this.#session = session;
    this.#shared = shared;
    this.#rings = rings;
  }

  /**
   * Steps into the descriptor that message `name` brought for a ring, which is this object's then. Answers the one to
   * send on instead, the caller's to close once it is sent; null: this one cannot be stepped into and stays the caller's.
   */
  stepInto(name: string, queue: number, fd: Fd): Fd | null {
    const kind = KINDS[name];
    if (kind === undefined) return null;
    this.remove(name, queue);
    if (!NotificationStep.isPossible(fd)) {
      const text = `the ${kind} descriptor of ring ${queue} may make its reader wait: it is passed on as it is`;
      this.#shared.journal.note(this.#session, 'note', text);
      return null;
    }
    const fresh = NotificationStep.fresh();
    const instead = fresh.dup();
    // the front end signals kicks, the back end calls
    const [from, to] = kind === 'kick' ? [fd, fresh] : [fresh, fd];
    const step = new NotificationStep(this.#shared.reactor, from, to, (count) => {
      const sample = this.#rings.look(queue);
      // what the driver has offered in the other ring of the pair is used in answer to this: now it is still to be seen
      this.#rings.look(queue ^ 1);
      this.#shared.journal.notification(this.#session, kind, queue, count, sample);
      const decision = this.#shared.injector.decide(kind, '', queue);
      for (const rule of decision.rules) {
        const signal = { rule, kind, queue, avail: sample?.avail ?? -1, used: sample?.used ?? -1 };
        this.#shared.journal.note(this.#session, 'inject', `${rule}: ${kind} of vq${queue}`, signal);
      }
      return decision;
    });
    this.#steps.set(`${kind}/${queue}`, step);
    const id = eventFdId(instead) ?? '';
    this.#shared.journal.line({
      kind: 'step',
      session: this.#session,
      t: this.#shared.journal.nowNs,
      name,
      queue,
      id,
    });
    return instead;
  }

  /** A ring gets another descriptor, none, or stops. */
  remove(name: string, queue: number): void {
    const key = `${KINDS[name]}/${queue}`;
    this.#steps.get(key)?.close();
    this.#steps.delete(key);
  }

  close(): void {
    for (const step of this.#steps.values()) step.close();
    this.#steps.clear();
  }
}
