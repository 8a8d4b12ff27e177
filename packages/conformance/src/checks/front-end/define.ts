import type { FrontEndBench } from '../../bench/front-end-bench.ts';
import type { Visit } from '../../bench/visit.ts';
import type { CheckInfo, FrontEndCheck } from '../../check.ts';
import { type Outcome, outcome, passed } from '../../report/verdict.ts';

/** What an entry of a table says; the rest has defaults. */
export interface Entry extends Pick<CheckInfo, 'id' | 'title' | 'item' | 'clause'> {
  readonly basis?: CheckInfo['basis'];
  readonly requirement?: string;
  readonly protocol?: CheckInfo['protocol'];
  readonly needs?: CheckInfo['needs'];
}

const SURVIVES =
  'A front end gives up the queue, the device or the connection, or goes on without the bad part; its process survives.';

/** A check of a front end, which may close the connection unless said otherwise. */
export function check(entry: Entry, run: (bench: FrontEndBench) => Promise<Outcome>): FrontEndCheck {
  return {
    id: entry.id,
    title: entry.title,
    item: entry.item,
    clause: entry.clause,
    basis: entry.basis ?? 'robustness',
    requirement: entry.requirement ?? SURVIVES,
    role: 'front end',
    mayClose: true,
    protocol: entry.protocol ?? [],
    features: 0n,
    needs: entry.needs ?? [],
    run,
  };
}

/** What became of the front end after something bad. */
export function judge(bench: FrontEndBench, visit: Visit, did = 'goes on'): Outcome {
  if (visit.ended !== null) return outcome('disconnected', visit.ended);
  return bench.processEnded === null ? passed(did) : passed('ends');
}
