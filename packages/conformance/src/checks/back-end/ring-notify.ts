import { drainEvent, monotonicMs } from '@vhostlab/host';
import { needEvent } from '@vhostlab/virtqueue';
import type { BackEndBench } from '../../bench/back-end-bench.ts';
import { feature } from '../../bench/feature.ts';
import type { RawPacked } from '../../bench/raw-packed.ts';
import type { RawSplit } from '../../bench/raw-split.ts';
import type { Rig } from '../../bench/rig.ts';
import type { BackEndCheck } from '../../check.ts';
import { failed, type Outcome, passed } from '../../report/verdict.ts';
import { check } from './define.ts';
import { stopped } from './ring-check.ts';

const EVENT_IDX = { needs: ['traffic', 'event-idx'], features: feature('EVENT_IDX') } as const;
/** Distances of `used_event` from the next used index. */
const DISTANCES = [0, 1, 2, 63, 64, 0x7fff, 0x8000, 0xfffe, 0xffff];

/** Notifications, and memory that changes while the device looks at it (items 27 and 29). */
export const RING_NOTIFY: readonly BackEndCheck[] = [
  check(
    {
      id: 'ring.split.used-event',
      title: 'used_event at every distance from the used index',
      item: 29,
      clause: 'virtio 1.3, 2.7.7.2 and 2.7.10',
      requirement:
        'A device calls when the used index passes used_event, and goes on whatever used_event says.',
      ...EVENT_IDX,
    },
    async (bench) => {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      const queue = rig.tx() as RawSplit;
      const call = queue.events.call.number;
      // the first call after the start comes in any case
      if (!(await rig.transmit(queue))) return stopped(rig, 'a good frame is not used');
      for (const distance of DISTANCES) {
        const old = queue.usedIdx;
        const event = old + distance;
        drainEvent(call);
        const id = rig.change(() => {
          queue.usedEvent = event;
          return queue.offer([rig.frame()]);
        });
        if (!(await rig.completes(queue, id))) return stopped(rig, `nothing is used at distance ${distance}`);
        if (!needEvent(event & 0xffff, (old + 1) & 0xffff, old)) continue;
        if (!(await rig.until(() => drainEvent(call)))) return failed(`no call at distance ${distance}`);
      }
      rig.judge();
      return passed('every call came');
    },
  ),
  check(
    {
      id: 'ring.split.no-interrupt-toggled',
      title: 'VIRTQ_AVAIL_F_NO_INTERRUPT set and cleared',
      item: 29,
      clause: 'virtio 1.3, 2.7.7.2',
      requirement: 'A device calls after each use while the flag is clear.',
      needs: ['traffic'],
    },
    async (bench) => {
      const rig = await bench.running({ format: 'split', pairs: 1 });
      const queue = rig.tx() as RawSplit;
      const call = queue.events.call.number;
      for (let round = 0; round < 8; round++) {
        const isQuiet = round % 2 === 1;
        rig.change(() => {
          queue.availFlags = isQuiet ? 1 : 0;
        });
        drainEvent(call);
        if (!(await rig.transmit(queue))) return stopped(rig, 'a good frame is not used');
        if (!isQuiet && !(await rig.until(() => drainEvent(call)))) return failed('no call');
      }
      rig.judge();
      return passed('every call came');
    },
  ),
  check(
    {
      id: 'ring.packed.event-offsets',
      title: 'event offsets all around the ring',
      item: 29,
      clause: 'virtio 1.3, 2.8.10',
      requirement: 'A device calls when it writes the used descriptor at the offset, and goes on otherwise.',
      needs: ['traffic', 'packed', 'event-idx'],
      features: feature('EVENT_IDX'),
    },
    async (bench) => {
      const rig = await bench.running({ format: 'packed', pairs: 1 });
      const queue = rig.tx() as RawPacked;
      const call = queue.events.call.number;
      if (!(await rig.transmit(queue))) return stopped(rig, 'a good frame is not used');
      for (let turn = 1; turn < 2 * queue.size; turn++) {
        const isMeant = turn % 3 !== 0;
        const slot = queue.nextSlot;
        const wrap = turn < queue.size ? 0x8000 : 0;
        // another slot: any but the next one
        const off = isMeant ? slot : (slot + queue.size / 2) % queue.size;
        drainEvent(call);
        const id = rig.change(() => {
          queue.driverEvent = (2 << 16) | wrap | off;
          return queue.offer([rig.frame(14)]);
        });
        if (!(await rig.completes(queue, id))) return stopped(rig, `nothing is used at slot ${slot}`);
        if (isMeant && !(await rig.until(() => drainEvent(call)))) return failed(`no call at slot ${slot}`);
      }
      rig.judge();
      return passed('every call came');
    },
  ),
  ...(['length', 'address', 'next'] as const).map((what) =>
    check(
      {
        id: `ring.split.rewritten-${what}`,
        title: `the ${what} of a descriptor changes while the device looks at it`,
        item: 27,
        clause: 'virtio 1.3, 2.7.5',
        basis: 'robustness',
        requirement:
          'A device reads each word once: it uses the buffer as it was before or after, or tells that the queue is broken.',
        needs: ['traffic'],
      },
      async (bench) => {
        for (let attempt = 0; ; attempt++) {
          const outcome = await rewritten(bench, what, attempt);
          if (outcome.verdict !== 'passed' || attempt === ATTEMPTS - 1) return outcome;
        }
      },
    ),
  ),
];

/** Devices that are tried: a queue is broken for good when the wrong word is read first. */
const ATTEMPTS = 4;

/** Word of a descriptor that is rewritten: the low half of the address, the length, flags and next. */
const WORD = { address: 0, length: 2, next: 3 } as const;

/** Rewrites a word of buffers while the device has them, until it tells that the queue is broken, or for a while. */
async function rewritten(bench: BackEndBench, what: keyof typeof WORD, attempt: number): Promise<Outcome> {
  const rig = await bench.running({ format: 'split', pairs: 1 });
  const queue = rig.tx() as RawSplit;
  const frames = rig.change(() => [rig.frame(), rig.frame()]);
  const bad = { length: 0xffff_fff0, address: 0xffff_ffff, next: 0xffff };
  const end = monotonicMs() + bench.limits.pauseMs;
  let turns = 0;
  while (monotonicMs() < end && !rig.errSignalled(queue) && queue.violations.length === 0) {
    const head = rig.change(() => queue.offer(frames));
    const word = (rig.memory.offset(queue.at.desc) + 16 * head) / 4 + WORD[what];
    const good = rig.memory.u32[word];
    const wrong = what === 'next' ? ((bad.next << 16) | (good & 0xffff)) >>> 0 : bad[what];
    queue.kick();
    for (let flips = 0; flips < 200 && queue.outstanding > 0; flips++) {
      // whenever the device has its turn, it finds a right word once and a wrong one the other time
      for (let i = 0; i < 50 + ((flips + attempt) % 2); i++) {
        Atomics.store(rig.memory.u32, word, i % 2 === 0 ? wrong : good);
      }
      await new Promise((resolve) => setImmediate(resolve));
      queue.collect();
    }
    Atomics.store(rig.memory.u32, word, good);
    rig.memory.remember();
    const isBack = await rig.until(() => {
      queue.collect();
      return queue.outstanding === 0;
    }, bench.limits.pauseMs);
    if (!isBack) break;
    turns++;
  }
  rig.judge();
  const outcome = await judged(rig, queue, turns);
  // one connection at a time
  rig.link.wire.close();
  return outcome;
}

async function judged(rig: Rig, queue: RawSplit, turns: number): Promise<Outcome> {
  if (queue.outstanding === 0 && (await rig.transmit(queue))) return passed(`goes on after ${turns} turns`);
  if (rig.link.wire.hasEnded) return stopped(rig, '');
  const told = await rig.told(queue);
  return told === '' ? failed('the queue stands still, and nobody is told') : passed(`stops, ${told}`);
}
