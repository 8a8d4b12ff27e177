import type { Payload, PayloadOf } from '../codec/payload.ts';
import { clauseOf } from '../codec/problem.ts';
import type { Fd } from '../fd.ts';
import { type FrontName, frontMessageNamed } from '../registry/front-messages.ts';
import type { PayloadKind } from '../registry/kinds.ts';
import type { BackendState } from './backend-state.ts';
import type { FdBag } from './fd-bag.ts';
import { type Refusal, refuse } from './refusal.ts';
import type { RingState } from './ring-state.ts';

/** An answer of its own; its descriptors are closed once it is sent. */
export interface Reply {
  readonly reply: Payload;
  readonly fds?: readonly Fd[];
}

/** What became of a message: done, answered, or refused. */
export type Outcome = null | Reply | Refusal;

/** What handles one message type. The payload was checked to be of the kind that the registry says. */
export interface Handler {
  readonly name: FrontName;
  readonly run: (state: BackendState, payload: Payload, fds: FdBag) => Promise<Outcome>;
}

/** Declares the handler of a message; `kind` is the payload kind of its row, compared when the module loads. */
export function handle<K extends PayloadKind>(
  name: FrontName,
  kind: K,
  run: (state: BackendState, payload: PayloadOf<K>, fds: FdBag) => Promise<Outcome>,
): Handler {
  const wants = frontMessageNamed(name).payload;
  if (wants !== kind) throw new Error(`${name} has a ${wants} payload, its handler takes ${kind}`);
  return { name, run: (state, payload, fds) => run(state, payload as PayloadOf<K>, fds) };
}

/** True when a message was refused. */
export function isRefusal(outcome: Outcome): outcome is Refusal {
  return outcome !== null && 'code' in outcome;
}

/** The ring of that number, or the refusal that it does not exist: the whole 32-bit number counts. */
export function ringAt(state: BackendState, name: FrontName, index: number): RingState | Refusal {
  const ring = state.rings[index];
  if (ring !== undefined) return ring;
  const text = `ring ${index} does not exist: there are ${state.rings.length}`;
  return refuse('ring-index', clauseOf(name), text);
}

/** True when `ringAt` found none. */
export function isMissing(ring: RingState | Refusal): ring is Refusal {
  return 'code' in ring;
}
