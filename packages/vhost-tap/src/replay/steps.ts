import type { Message } from '@vhostlab/vhost-user';
import type {
  FdNote,
  NotificationLine,
  OfferLine,
  ProgressLine,
  RingStartLine,
  RingStopLine,
  WordsLine,
} from '../record/record-lines.ts';

/** What happened to a ring. */
export type RingLine =
  | RingStartLine
  | RingStopLine
  | OfferLine
  | WordsLine
  | ProgressLine
  | (NotificationLine & { readonly kind: 'kick' });

/** A request of the front end, with the answer that the recorded back end gave. */
export interface MessageStep {
  readonly kind: 'message';
  readonly t: number;
  readonly message: Message;
  readonly bytes: Uint8Array;
  readonly fds: readonly FdNote[];
  answer: Answered | null;
}

/** A recorded answer. */
export interface Answered {
  readonly message: Message;
  readonly fds: readonly FdNote[];
}

export type Step = MessageStep | RingLine;
