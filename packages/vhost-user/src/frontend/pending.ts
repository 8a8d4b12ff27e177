import { decodeMessage, type Message } from '../codec/message.ts';
import type { Frame } from '../connection/frame-reader.ts';
import type { Fd } from '../fd.ts';

/** Why a waiter gets no answer. */
export interface NoAnswer {
  readonly failure: 'timeout' | 'closed' | 'bad-answer';
  readonly text: string;
}

/** An answer with its descriptors, which are the waiter's. */
export interface Answered {
  readonly message: Message;
  readonly fds: readonly Fd[];
}

interface Waiter {
  /** Number that the answer must have; null: any answer, good or bad. */
  readonly request: number | null;
  readonly name: string;
  readonly timer: ReturnType<typeof setTimeout>;
  settle: ((result: Answered | NoAnswer) => void) | null;
}

/** True when there is no answer. */
export function isUnanswered(result: Answered | NoAnswer): result is NoAnswer {
  return 'failure' in result;
}

/** Requests that wait for their answers, which come in the order of the requests. */
export class Pending {
  readonly #waiters: Waiter[] = [];

  /** Waits for the next answer that nobody waits for yet. `request` null takes whatever comes. */
  wait(request: number | null, name: string, timeoutMs: number): Promise<Answered | NoAnswer> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        // the place in the order stays: a late answer belongs to this request, and is dropped
        waiter.settle = null;
        resolve({ failure: 'timeout', text: `no answer within ${timeoutMs} ms` });
      }, timeoutMs);
      const waiter: Waiter = { request, name, timer, settle: resolve };
      this.#waiters.push(waiter);
    });
  }

  /** Hands an answer to the first waiter. Null: fine; else what is wrong with it, and the connection is of no use. */
  take(frame: Frame): string | null {
    const waiter = this.#waiters.shift();
    const message = decodeMessage(frame.bytes, 'main', 'reply', frame.fds.length);
    const problem = this.#problem(waiter, message, frame);
    if (waiter !== undefined) clearTimeout(waiter.timer);
    if (waiter?.settle == null || problem !== null) {
      for (const fd of frame.fds) fd.close();
      waiter?.settle?.({ failure: 'bad-answer', text: problem ?? '' });
      return problem;
    }
    waiter.settle({ message, fds: frame.fds });
    return null;
  }

  /** The connection has ended. */
  end(text: string): void {
    for (const { settle, timer } of this.#waiters.splice(0)) {
      clearTimeout(timer);
      settle?.({ failure: 'closed', text });
    }
  }

  #problem(waiter: Waiter | undefined, message: Message, frame: Frame): string | null {
    if (waiter === undefined) return `an answer to ${message.name} came, and nothing was asked`;
    if (waiter.request === null) return null;
    if (message.header.request !== waiter.request) return `the answer is one to ${message.name}`;
    return message.problems[0]?.text ?? frame.problems[0]?.text ?? null;
  }
}
