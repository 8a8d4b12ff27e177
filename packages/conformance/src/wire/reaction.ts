import { failed, notClaimed, type Outcome, outcome, passed } from '../report/verdict.ts';

/**
 * What a peer did with one message. `reply`: the number it answered, `other` for a reply without one, null for none;
 * `then`: whether it answers the next message, has closed the connection, or does neither.
 */
export interface Reaction {
  readonly reply: bigint | 'other' | null;
  readonly after: 'stays' | 'closes' | 'hangs';
  /** Whether a reply was asked for (need_reply, or a message that has one of its own). */
  readonly asked: boolean;
}

/** A reaction in the words of reports: `reply 1, stays`, `closes`. */
export function describeReaction({ reply, after }: Reaction): string {
  if (reply === null) return after === 'stays' ? 'no reply, stays' : after;
  const said = reply === 'other' ? 'a reply' : `reply ${reply}`;
  return after === 'closes' ? `${said}, then closes` : `${said}, ${after}`;
}

/** A message that must be refused. `impossible`: nobody can carry it out, so success is a lie whatever follows. */
export function refused(reaction: Reaction, impossible = false): Outcome {
  const observed = describeReaction(reaction);
  const { reply, after, asked } = reaction;
  if (after === 'hangs') return failed(observed);
  if (reply === null) {
    if (after === 'closes') return outcome('disconnected', observed);
    if (!asked) return notClaimed(`${observed}; without REPLY_ACK a refusal cannot be seen`);
    return failed(`${observed}: no answer to need_reply`);
  }
  if (reply !== 0n && reply !== 'other') return passed(observed);
  if (after === 'closes' || impossible) return outcome('acknowledged', observed);
  return failed(observed);
}

/** A message that must be carried out. */
export function accepted(reaction: Reaction): Outcome {
  const observed = describeReaction(reaction);
  const { reply, after, asked } = reaction;
  if (after === 'closes') return outcome(reply === 0n ? 'acknowledged' : 'disconnected', observed);
  if (after === 'hangs' || (asked && reply !== 0n)) return failed(observed);
  return passed(observed);
}

/** A message that a peer may take or refuse as it likes, as long as it does not hang or lie. */
export function survived(reaction: Reaction): Outcome {
  const observed = describeReaction(reaction);
  const { reply, after } = reaction;
  if (after === 'hangs') return failed(observed);
  if (after === 'closes') return outcome(reply === 0n ? 'acknowledged' : 'disconnected', observed);
  return passed(observed);
}
