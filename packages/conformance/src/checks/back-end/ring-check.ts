import type { RingFormat } from '@vhostlab/virtqueue';
import type { BackEndBench } from '../../bench/back-end-bench.ts';
import type { RawPacked } from '../../bench/raw-packed.ts';
import type { RawQueue, Segment } from '../../bench/raw-queue.ts';
import type { RawSplit } from '../../bench/raw-split.ts';
import type { Rig } from '../../bench/rig.ts';
import type { BackEndCheck, CheckInfo } from '../../check.ts';
import { failed, type Outcome, outcome, passed } from '../../report/verdict.ts';
import { check, type Entry } from './define.ts';

/** What a check does to a ring. */
interface Poison<Q extends RawQueue> {
  /** Writes what is wrong into the ring; it is kicked afterwards. */
  readonly place: (queue: Q, rig: Rig) => void;
  /** Puts right what would keep a good buffer from being seen. */
  readonly repair?: (queue: Q, rig: Rig) => void;
}

/** What stands in a table of ring checks. */
export interface RingEntry extends Pick<CheckInfo, 'title' | 'item' | 'clause'> {
  /** The id without `ring.split.` or `ring.packed.`. */
  readonly name: string;
  /** The buffer must be carried out: it is unusual, and right. */
  readonly isGood?: boolean;
  readonly needs?: CheckInfo['needs'];
  readonly features?: bigint;
  /** It is placed in the receive queue, before frames come back to it. */
  readonly inReceive?: boolean;
}

const SURVIVES =
  'A device writes only what was offered to it, gives back only what it was given, keeps other queues going, and either ' +
  'goes on in this one or tells that it is broken (error eventfd, DEVICE_NEEDS_RESET).';
const CARRIES_OUT = 'A device carries the buffer out and gives it back.';

/** A check of one split ring. */
export function splitCheck(entry: RingEntry, poison: Poison<RawSplit>): BackEndCheck {
  return ringCheck(entry, 'split', (rig) => ({ queue: queueOf(entry, rig) as RawSplit, poison }));
}

/** A check of one packed ring. */
export function packedCheck(entry: RingEntry, poison: Poison<RawPacked>): BackEndCheck {
  return ringCheck(entry, 'packed', (rig) => ({ queue: queueOf(entry, rig) as RawPacked, poison }));
}

/** The same check in both formats: a buffer of these segments. */
export function bufferChecks(
  entry: RingEntry,
  segments: (rig: Rig, queue: RawQueue) => readonly Segment[],
): BackEndCheck[] {
  const place = (queue: RawQueue, rig: Rig): void => void queue.offer(segments(rig, queue));
  return [splitCheck(entry, { place }), packedCheck(entry, { place })];
}

function queueOf({ inReceive }: RingEntry, rig: Rig): RawQueue {
  return inReceive === true ? rig.rx() : rig.tx();
}

function ringCheck<Q extends RawQueue>(
  entry: RingEntry,
  format: RingFormat,
  pick: (rig: Rig) => { queue: Q; poison: Poison<Q> },
): BackEndCheck {
  const { name, title, item, clause, isGood = false, inReceive = false } = entry;
  const filled: Entry & { requirement: string } = {
    id: `ring.${format}.${name}`,
    title,
    item,
    clause,
    basis: isGood ? 'specification' : 'robustness',
    requirement: isGood ? CARRIES_OUT : SURVIVES,
    features: entry.features ?? 0n,
    needs: [
      'traffic',
      ...(format === 'packed' ? (['packed'] as const) : []),
      ...(inReceive ? (['echo'] as const) : []),
      ...(entry.needs ?? []),
    ],
  };
  return check(filled, async (bench) => {
    const pairs = Math.min(bench.offer.queuePairs, 2);
    const rig = await bench.rig({ format, pairs, fillRx: !inReceive });
    const { queue, poison } = pick(rig);
    if (inReceive && pairs > 1) rig.fillRx(1);
    await rig.start();
    return poisoned(bench, rig, queue, poison, isGood);
  });
}

/** Poisons a queue of a running device and judges what comes of it. */
async function poisoned<Q extends RawQueue>(
  bench: BackEndBench,
  rig: Rig,
  queue: Q,
  { place, repair }: Poison<Q>,
  isGood: boolean,
): Promise<Outcome> {
  const { ringMs, pauseMs } = bench.limits;
  const before = queue.outstanding;
  rig.change(() => place(queue, rig));
  const placed = queue.outstanding - before;
  queue.kick();
  const isReceive = queue.index % 2 === 0;
  // a frame comes back into what was placed
  if (isReceive && !(await rig.transmit(rig.tx()))) return stopped(rig, 'the transmit queue stopped');
  if (repair !== undefined || isReceive) await rig.settles(queue, pauseMs);
  if (rig.queues.length > 2 && !(await rig.transmit(rig.tx(1)))) return stopped(rig, 'another queue stopped');
  if (repair !== undefined) rig.change(() => repair(queue, rig));
  const goesOn = await probe(rig, queue, ringMs);
  rig.judge();
  if (isGood) {
    return goesOn && queue.outstanding <= before ? passed('carried out') : stopped(rig, 'not carried out');
  }
  if (goesOn) return passed(placed > 0 && queue.outstanding > before ? 'goes on without it' : 'goes on');
  if (rig.link.wire.hasEnded) return stopped(rig, '');
  const told = await rig.told(queue);
  return told === '' ? failed('the queue stands still, and nobody is told') : passed(`stops, ${told}`);
}

/** Why nothing moves: the peer has closed the connection, or what is said. */
export function stopped(rig: Rig, observed: string): Outcome {
  return rig.link.wire.hasEnded ? outcome('disconnected', 'closes') : failed(observed);
}

/** Offers a good buffer behind the bad one: true when it is used, false when the queue is told to be broken, or in vain. */
async function probe(rig: Rig, queue: RawQueue, timeoutMs: number): Promise<boolean> {
  if (rig.errSignalled(queue)) return false;
  const isReceive = queue.index % 2 === 0;
  const id = rig.change(() =>
    queue.offer([isReceive ? { address: rig.allocate(2048), bytes: 2048, writable: true } : rig.frame()]),
  );
  queue.kick();
  let isUsed = false;
  let sent = 0;
  await rig.until(() => {
    for (const used of queue.collect()) if (used.id === id) isUsed = true;
    if (isReceive && sent < 16 && rig.tx().outstanding === 0) {
      // every frame may end in an earlier buffer
      sent++;
      rig.change(() => rig.tx().offer([rig.frame()]));
      rig.tx().kick();
    }
    if (isReceive) rig.tx().collect();
    return isUsed || queue.violations.length > 0 || rig.errSignalled(queue);
  }, timeoutMs);
  return isUsed;
}
