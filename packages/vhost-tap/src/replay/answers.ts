import { explainPayload, HEADER_BYTES, type Message } from '@vhostlab/vhost-user';
import type { Answered } from './steps.ts';

/** How an answer differs from the recorded one, in one sentence; null: it does not. `asked`: name of the request. */
export function answerDifference(
  asked: Message,
  answer: Message,
  answerFds: number,
  recorded: Answered,
): string | null {
  // where a ring stops depends on the device; the ring itself shows whether it is right
  if (asked.name === 'GET_VRING_BASE') return null;
  const [now, then] = [describe(answer), describe(recorded.message)];
  if (now !== then) return `the back end answered ${now}, recorded ${then}`;
  if (answerFds === recorded.fds.length) return null;
  return `the back end answered with ${answerFds} descriptors, recorded ${recorded.fds.length}`;
}

/** An answer for people, complete enough that two that differ read differently. */
export function describe({ payload, header, name }: Message): string {
  if (payload === null) return `${header.size} bytes that are no such answer`;
  if (payload.kind === 'empty') return 'without a payload';
  return explainPayload(payload, name) || `${HEADER_BYTES + header.size} bytes`;
}
