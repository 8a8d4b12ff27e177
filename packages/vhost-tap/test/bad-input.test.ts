import { sleep } from '@vhostlab/host';
import type { FeatureWishes, RawRing } from '@vhostlab/vhost-driver';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseInjectRule, RING_RULES, type RingRuleCode } from '../src/index.ts';
import { Lab } from './kit/lab.ts';

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const AVAIL = 0x80;
const USED = 0x8000;
const SIZE = 64;
const TOP = 2n ** 64n - 4096n;

type Seed = (ring: RawRing, isNamed: () => boolean) => void | Promise<void>;
/** What is wrong in the words of the list, the rule that names it, the ring that it is seeded in. */
type Row = readonly [what: string, code: RingRuleCode, seed: Seed, direction?: 'rx'];

interface Descriptor {
  readonly gpa: bigint;
  readonly length: number;
  readonly flags: number;
  readonly next?: number;
}

/** Guest memory of the front end that is being tested. */
let u16: Uint16Array = new Uint16Array();
/** The test is over, and its memory about to go. */
let isOver = false;

/** A frame: a header of these 16-bit words, and zeros. */
function frameAt(ring: RawRing, ...words: number[]): bigint {
  const { offset, gpa } = ring.buffer(2048);
  words.forEach((word, i) => {
    u16[(offset >>> 1) + i] = word;
  });
  return gpa;
}

/** Offers one split chain of descriptors 0, 1 and so on. */
function split(make: (ring: RawRing) => readonly Descriptor[]): Seed {
  return (ring) => {
    make(ring).forEach(({ gpa, length, flags, next = 0 }, slot) => {
      ring.descriptor(slot, { address: gpa, length, flags, next });
    });
    ring.available(0, 0);
    ring.availableIndex(1);
  };
}

/** One plain split descriptor; `length` counts the header. */
const one = (length: number, flags: number, address?: bigint): Seed =>
  split((ring) => [{ gpa: address ?? frameAt(ring), length, flags, next: 0 }]);

const header = (...words: number[]): Seed =>
  split((ring) => [{ gpa: frameAt(ring, ...words), length: 72, flags: 0 }]);

/** One split descriptor with an indirect table of these entries. */
function table(
  length: number,
  entries: (gpa: bigint, table: bigint) => readonly Descriptor[],
  more = 0,
): Seed {
  return split((ring) => {
    const at = ring.buffer(4096);
    entries(frameAt(ring), at.gpa).forEach(({ gpa, length: bytes, flags, next = 0 }, i) => {
      ring.descriptorAt(at.offset + 16 * i, { address: gpa, length: bytes, flags, next });
    });
    return [{ gpa: at.gpa, length, flags: INDIRECT | more, next: 1 }];
  });
}

/** Two frames at heads 0 and 1, and head 0 once more. */
function twice(ring: RawRing): void {
  for (const slot of [0, 1]) ring.descriptor(slot, { address: frameAt(ring), length: 72, flags: 0 });
  [0, 1, 0].forEach((head, at) => {
    ring.available(at, head);
  });
  ring.availableIndex(3);
}

/** One packed list; descriptors after the first are written first. */
function packed(make: (ring: RawRing) => readonly (Descriptor & { readonly id?: number })[]): Seed {
  return (ring) => {
    const list = [...make(ring).entries()].reverse();
    for (const [slot, { gpa, length, flags, id = 0 }] of list) {
      ring.descriptor(slot, { address: gpa, length, flags, id });
    }
  };
}

const long: Descriptor[] = Array.from({ length: SIZE + 2 }, (_, i) => ({
  gpa: 0n,
  length: 20,
  flags: i <= SIZE ? NEXT : 0,
  next: i + 1,
}));

const SPLIT: Readonly<Record<number, readonly Row[]>> = {
  20: [
    ['avail.idx jumps', 'avail-index-jump', (ring) => ring.availableIndex(SIZE + 1)],
    ['avail.idx goes back', 'avail-index-back', (ring) => ring.availableIndex(0xffff)],
  ],
  21: [
    [
      'head',
      'avail-head-range',
      (ring) => {
        ring.available(0, SIZE);
        ring.availableIndex(1);
      },
    ],
    ['next', 'next-range', split((r) => [{ gpa: frameAt(r), length: 72, flags: NEXT, next: SIZE }])],
    ['loop', 'chain-loop', split((r) => [{ gpa: frameAt(r), length: 72, flags: NEXT, next: 0 }])],
    ['loop of nothing', 'chain-loop', split((r) => [{ gpa: frameAt(r), length: 0, flags: NEXT, next: 0 }])],
    [
      'more than 2^32 bytes',
      'chain-bytes',
      split((r) => [
        { gpa: frameAt(r), length: 0xffffffff, flags: NEXT, next: 1 },
        { gpa: frameAt(r), length: 72, flags: 0 },
      ]),
    ],
  ],
  22: [['not negotiated', 'indirect-feature', table(16, (gpa) => [{ gpa, length: 72, flags: 0 }])]],
  23: [
    [
      'WRITE before READ',
      'read-after-write',
      split((r) => [
        { gpa: frameAt(r), length: 72, flags: WRITE | NEXT, next: 1 },
        { gpa: frameAt(r), length: 72, flags: 0 },
      ]),
    ],
    ['RX buffer to read', 'rx-readable', one(2048, 0), 'rx'],
    ['TX buffer to write', 'tx-writable', one(72, WRITE)],
    ['nothing but empty buffers', 'tx-writable', one(0, 0)],
    ['address at the top', 'address-outside', one(72, 0, TOP)],
    ['address in a hole', 'address-outside', one(72, 0, 2n ** 40n)],
  ],
  24: [
    ['RX buffer below the header', 'rx-short', one(11, WRITE), 'rx'],
    ['TX buffer below the header', 'tx-no-header', one(11, 0)],
    ['header and nothing else', 'tx-frame-short', one(12, 0)],
    [
      'header over descriptors of a byte',
      'tx-frame-short',
      split((r) => {
        const gpa = frameAt(r);
        return Array.from({ length: 12 }, (_, i) => ({
          gpa: gpa + BigInt(i),
          length: 1,
          flags: i < 11 ? NEXT : 0,
          next: i + 1,
        }));
      }),
    ],
  ],
  25: [['NEEDS_CSUM not negotiated', 'tx-csum-feature', header(1)]],
  26: [
    ['frame of 13 bytes', 'tx-frame-short', one(25, 0)],
    [
      'frame of 70000 bytes',
      'tx-frame-long',
      split((r) => [{ gpa: r.buffer(70_012).gpa, length: 70_012, flags: 0 }]),
    ],
  ],
  28: [['used.idx is written', 'used-index-jump', (ring) => ring.overwriteUsedIndex(3)]],
};

/** With IN_ORDER it is certain at every moment what is outstanding. */
const SPLIT_IN_ORDER: Readonly<Record<number, readonly Row[]>> = {
  21: [['head twice', 'avail-head-busy', twice]],
  27: [
    [
      'written again while the device has it',
      'chain-changed',
      async (ring, isNamed) => {
        const address = frameAt(ring);
        await one(72, 0, address)(ring, isNamed);
        // the tap looks at every kick, and two looks have to come soon one after the other
        for (let length = 73; !isNamed() && !isOver; length++) {
          ring.kick();
          await sleep(0);
          ring.descriptor(0, { address, length: 73 + (length % 900), flags: 0 });
        }
      },
    ],
  ],
};

const SPLIT_OFFLOADS: Readonly<Record<number, readonly Row[]>> = {
  21: [
    [
      'longer than the queue',
      'chain-long',
      table(16 * long.length, (gpa) => long.map((each) => ({ ...each, gpa }))),
    ],
  ],
  22: [
    ['length 0', 'indirect-length', table(0, () => [])],
    ['length 24', 'indirect-length', table(24, (gpa) => [{ gpa, length: 72, flags: 0 }])],
    ['65537 entries', 'indirect-length', table(16 * 65_537, (gpa) => [{ gpa, length: 72, flags: 0 }])],
    ['nested', 'indirect-nested', table(16, (_, gpa) => [{ gpa, length: 16, flags: INDIRECT }])],
    ['INDIRECT and NEXT', 'indirect-next', table(16, (gpa) => [{ gpa, length: 72, flags: 0 }], NEXT)],
    ['table outside', 'indirect-outside', one(16, INDIRECT, TOP)],
  ],
  25: [
    ['csum_start', 'tx-csum-range', header(1, 0, 0, 60, 16)],
    ['csum_offset', 'tx-csum-range', header(1, 0, 0, 34, 0xfff0)],
    ['gso_type', 'tx-gso-type', header(0x901, 54, 1460, 34, 16)],
    ['both tunnel bits', 'tx-gso-type', header(0x6101, 54, 1460, 34, 16)],
    ['gso_type not negotiated', 'tx-gso-feature', header(0x301, 54, 1460, 34, 16)],
    ['gso_size 0', 'tx-gso-size', header(0x101, 54, 0, 34, 16)],
    ['GSO without NEEDS_CSUM', 'tx-gso-csum', header(0x100, 54, 1460, 34, 16)],
    ['hdr_len', 'tx-hdr-len', header(0x101, 61, 1460, 34, 16)],
  ],
};

const PACKED: Readonly<Record<number, readonly Row[]>> = {
  29: [
    ['flags 3', 'driver-event', (ring) => ring.driverEvent(0, 3)],
    ['off_wrap beyond the ring', 'driver-event', (ring) => ring.driverEvent(0x8000 | SIZE, 2)],
  ],
  30: [
    [
      'AVAIL and USED equal',
      'chain-torn',
      packed((r) => [
        { gpa: frameAt(r), length: 72, flags: AVAIL | NEXT },
        { gpa: frameAt(r), length: 72, flags: 0 },
      ]),
    ],
    [
      'AVAIL flipped inside of a list',
      'chain-torn',
      packed((r) => [
        { gpa: frameAt(r), length: 72, flags: AVAIL | NEXT },
        { gpa: frameAt(r), length: 72, flags: USED },
      ]),
    ],
    ['id', 'id-range', packed((r) => [{ gpa: frameAt(r), length: 72, flags: AVAIL, id: SIZE }])],
    [
      'id twice',
      'id-busy',
      async (ring) => {
        ring.descriptor(0, { address: frameAt(ring), length: 72, flags: AVAIL, id: 3 });
        await sleep(50);
        ring.descriptor(1, { address: frameAt(ring), length: 72, flags: AVAIL, id: 3 });
      },
    ],
    [
      'NEXT for ever',
      'chain-loop',
      packed((r) => {
        const gpa = frameAt(r);
        return Array.from({ length: SIZE }, () => ({ gpa, length: 20, flags: AVAIL | NEXT }));
      }),
    ],
  ],
};

const SESSIONS: readonly (readonly [string, 'split' | 'packed', FeatureWishes, typeof SPLIT])[] = [
  ['split', 'split', {}, SPLIT],
  ['split with offloads and indirect tables', 'split', { indirect: true, tso: true }, SPLIT_OFFLOADS],
  ['split in order', 'split', { inOrder: true }, SPLIT_IN_ORDER],
  ['packed', 'packed', { eventIdx: true }, PACKED],
];

const labs: Lab[] = [];
afterEach(async () => {
  isOver = true;
  for (const lab of labs.splice(0)) await lab.close();
});

/** A tap in front of a back end that is never kicked, and a front end whose rings are ours: `pairs` of them. */
async function seats(ring: 'split' | 'packed', wishes: FeatureWishes, pairs: number) {
  const lab = new Lab();
  labs.push(lab);
  isOver = false;
  await lab.backend({ queuePairs: pairs });
  const tap = lab.startTap({ inject: [parseInjectRule('drop kick')] });
  const features = { inOrder: false, ...wishes };
  const options = { ring, features, queues: pairs, queueSize: SIZE, memoryBytes: 64 * 2 ** 20 } as const;
  const frontend = await lab.frontend({ ...options, workload: { kind: 'raw' } });
  u16 = frontend.memory.arena.u16;
  return { tap, frontend };
}

/** The numbers are those of the list of bad input in the reference of the vhost-user peers: ring contents, 20 to 30. */
describe('what our front end does wrong in a ring is named, through the tap', () => {
  it.each(SESSIONS)('%s', async (_name, format, features, items) => {
    const rows = Object.entries(items).flatMap(([item, list]) => list.map((row) => ({ item, row })));
    const { tap, frontend } = await seats(format, features, rows.length);
    const expected = rows.map(({ item, row: [what, code, seed, direction] }, pair) => {
      const queue = 2 * pair + (direction === 'rx' ? 0 : 1);
      const isNamed = () => tap.summary().violations.some((each) => each.queue === queue);
      return { item, what, code, queue, seeded: seed(frontend.rawRing(queue), isNamed) };
    });
    await Promise.all(expected.map(({ seeded }) => seeded));
    const named = () => tap.summary().violations.map(({ queue, code }) => `vq${queue} ${code}`);
    const all = expected.map(({ queue, code }) => `vq${queue} ${code}`);
    await vi.waitFor(() => expect(named()).toEqual(expect.arrayContaining(all)), 20_000);
    await frontend.stop();
    const { violations } = await tap.stop();
    for (const { queue, code } of expected) {
      // what the back end then does with it is its own
      const [first, ...more] = violations.filter((each) => each.queue === queue);
      expect(first?.code).toBe(code);
      expect(more.map(({ party }) => party)).not.toContain('driver');
    }
    expect(violations.map(({ queue }) => queue)).not.toContain(null);
    for (const { code, clause, first } of violations) {
      expect(clause).toBe(RING_RULES[code as RingRuleCode].clause);
      expect(first).toMatch(/\d/);
    }
  });

  it('covers every item of the list', () => {
    const items = new Set(SESSIONS.flatMap(([, , , table]) => Object.keys(table)));
    expect([...items].map(Number).sort((a, b) => a - b)).toEqual([
      20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
    ]);
  });

  it('and nothing is said of kicks without buffers (20) and of any used_event (29)', async () => {
    const { tap, frontend } = await seats('split', { eventIdx: true }, 1);
    const ring = frontend.rawRing(1);
    for (let event = 0; event < 65_536; event += 257) {
      ring.usedEvent(event);
      ring.kick();
      await sleep(0);
    }
    await vi.waitFor(() => expect(tap.summary().samples).toBeGreaterThan(10), 20_000);
    await frontend.stop();
    expect((await tap.stop()).violations).toEqual([]);
  });
});
