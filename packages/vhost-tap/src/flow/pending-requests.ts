import type { Message } from '@vhostlab/vhost-user';

/** A request that may be answered. */
export interface PendingRequest<T> {
  readonly message: Message;
  /** The answer must come; false: it may. */
  readonly mustAnswer: boolean;
  /** What the caller wants to remember with it. */
  readonly note: T;
}

/** Requests of one direction that wait for their answers, oldest first. */
export class PendingRequests<T> {
  readonly #waiting: PendingRequest<T>[] = [];

  add(message: Message, mustAnswer: boolean, note: T): void {
    this.#waiting.push({ message, mustAnswer, note });
  }

  /**
   * Takes the request that an answer with this number belongs to. `passed`: requests before it that should have been
   * answered first. Undefined: nothing with this number waits.
   */
  take(request: number): { found: PendingRequest<T>; passed: PendingRequest<T>[] } | undefined {
    const at = this.#waiting.findIndex(({ message }) => message.header.request === request);
    if (at < 0) return undefined;
    const [...before] = this.#waiting.splice(0, at + 1);
    const found = before.pop()!;
    return { found, passed: before.filter(({ mustAnswer }) => mustAnswer) };
  }

  /** Forgets the newest request, which was lost on its way. */
  forget(message: Message): void {
    const at = this.#waiting.findLastIndex((each) => each.message === message);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** Requests that still wait for an answer that must come. */
  get unanswered(): PendingRequest<T>[] {
    return this.#waiting.filter(({ mustAnswer }) => mustAnswer);
  }
}
