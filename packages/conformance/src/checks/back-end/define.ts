import type { BackEndBench } from '../../bench/back-end-bench.ts';
import type { BackEndCheck, CheckInfo } from '../../check.ts';
import type { Outcome } from '../../report/verdict.ts';
import { accepted, type Reaction, refused, survived } from '../../wire/reaction.ts';

/** What an entry of a table says; the rest has defaults. */
export interface Entry extends Pick<CheckInfo, 'id' | 'title' | 'item' | 'clause'> {
  readonly basis?: CheckInfo['basis'];
  readonly requirement?: string;
  readonly mayClose?: boolean;
  readonly protocol?: CheckInfo['protocol'];
  readonly features?: bigint;
  readonly needs?: CheckInfo['needs'];
}

type Act = (bench: BackEndBench) => Promise<Reaction>;

/** A check with a judgement of its own. By default closing the connection is no answer to it. */
export function check(
  entry: Entry & { readonly requirement: string },
  run: BackEndCheck['run'],
): BackEndCheck {
  return { ...fill(entry, false), requirement: entry.requirement, run };
}

/**
 * The message must be refused. `impossible`: nobody can carry it out, so that an acknowledgement is false whatever
 * follows.
 */
export function refuses(entry: Entry & { readonly impossible?: boolean }, act: Act): BackEndCheck {
  const requirement =
    'A back end answers need_reply with a number other than 0, or closes the connection, and goes on serving.';
  return define(entry, requirement, true, act, (reaction) => refused(reaction, entry.impossible));
}

/** The message must be carried out. */
export function accepts(entry: Entry, act: Act): BackEndCheck {
  return define(entry, 'A back end carries this out and keeps the connection.', false, act, accepted);
}

/** The message may be carried out or refused. */
export function survives(entry: Entry, act: Act): BackEndCheck {
  const requirement =
    'A back end carries this out, refuses it or closes the connection; it keeps nothing of it and goes on serving.';
  return define(entry, requirement, true, act, survived);
}

function define(
  entry: Entry,
  requirement: string,
  mayClose: boolean,
  act: Act,
  judge: (reaction: Reaction) => Outcome,
): BackEndCheck {
  return {
    ...fill(entry, mayClose),
    requirement: entry.requirement ?? requirement,
    run: async (bench) => judge(await act(bench)),
  };
}

function fill(entry: Entry, mayClose: boolean): Omit<BackEndCheck, 'run' | 'requirement'> {
  const { id, title, item, clause } = entry;
  return {
    id,
    title,
    item,
    clause,
    basis: entry.basis ?? 'specification',
    role: 'back end',
    mayClose: entry.mayClose ?? mayClose,
    protocol: entry.protocol ?? [],
    features: entry.features ?? 0n,
    needs: entry.needs ?? [],
  };
}
