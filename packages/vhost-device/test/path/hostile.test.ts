import { UsedBatch } from '@vhostlab/virtqueue';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NEEDS_BATCH } from '../../src/path/one-copy.ts';
import { HIGH, KINDS, LOW, OWN_END, PathRig, pattern, QUEUE_SIZE, REGION_BYTES } from './path-rig.ts';

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const AVAIL = 0x80;

interface Raw {
  address: number;
  bytes: number;
  flags?: number;
  next?: number;
}

/** Writes descriptors from slot 0 on and makes chain 0 available, as a driver that keeps no rule. */
function offer(rig: PathRig, queue: number, descriptors: readonly Raw[]): void {
  const { descOffset, driverOffset } = rig.places[queue];
  const { arena } = rig;
  const packed = rig.features.has('RING_PACKED');
  for (const [slot, { address, bytes, flags = 0, next = 0 }] of descriptors.entries()) {
    const w = (descOffset >>> 2) + slot * 4;
    arena.u32.set([address, address / 2 ** 32, bytes], w);
    arena.u16.set(packed ? [0, flags | AVAIL] : [flags, next], (w + 3) << 1);
  }
  if (!packed) arena.u16.set([0, 1, 0], driverOffset >>> 1);
}

/** Handles a burst in this direction; answers violations and drops afterwards. */
function outcome(rig: PathRig, queue: number): unknown {
  const path = queue === 1 ? rig.transmit : rig.receive;
  if (queue === 1) {
    rig.transmit.dequeue(rig.batch, 64);
    expect(rig.batch.count).toBe(0);
  } else {
    rig.batch.clear();
    rig.batch.length[0] = 60;
    rig.batch.count = 1;
    expect(rig.receive.enqueue(rig.batch)).toBe(0);
  }
  const reason = path.ring.takeViolation();
  return reason ?? Object.keys(rig.drops(queue)).join(' ');
}

/** What a driver may put into a ring (the list of bad input, 20 to 30): name, descriptors, outcome by format. */
const SPLIT: [string, Raw[], string][] = [
  ['head beyond the table', [], 'head_range'],
  ['next beyond the table', [{ address: LOW, bytes: 60, flags: NEXT, next: QUEUE_SIZE }], 'next_range'],
  ['a loop', [{ address: LOW, bytes: 60, flags: NEXT, next: 0 }], 'chain_length'],
  ['a loop of nothing', [{ address: LOW, bytes: 0, flags: NEXT, next: 0 }], 'chain_length'],
];
const BOTH: [string, Raw[], string][] = [
  ['a table of no whole entries', [{ address: LOW, bytes: 24, flags: INDIRECT }], 'indirect_length'],
  ['a table of nothing', [{ address: LOW, bytes: 0, flags: INDIRECT }], 'indirect_length'],
  [
    'a table that is too long',
    [{ address: LOW, bytes: 16 * (QUEUE_SIZE + 1), flags: INDIRECT }],
    'indirect_length',
  ],
  ['a table that goes on', [{ address: LOW, bytes: 16, flags: INDIRECT | NEXT }], 'indirect_next'],
  ['a table that is not there', [{ address: 2 ** 40, bytes: 32, flags: INDIRECT }], 'drop_address'],
  ['an address of 0', [{ address: 0, bytes: 100 }], 'drop_address'],
  ['an address of all ones', [{ address: 2 ** 64 - 2048, bytes: 100 }], 'drop_address'],
  ['an address between the regions', [{ address: LOW + REGION_BYTES, bytes: 100 }], 'drop_address'],
  ['a buffer beyond its region', [{ address: LOW + REGION_BYTES - 99, bytes: 100 }], 'drop_address'],
  ['a buffer of 4 GiB', [{ address: HIGH, bytes: 0xffff_ffff }], 'drop_address'],
];
const SENT: [string, Raw[], string][] = [
  ['a buffer to write', [{ address: LOW, bytes: 100, flags: WRITE }], 'drop_too_short'],
  ['nothing', [{ address: LOW, bytes: 0 }], 'drop_too_short'],
  ['nothing, at no address', [{ address: 2 ** 50, bytes: 0 }], 'drop_too_short'],
  ['part of a header', [{ address: LOW, bytes: 11 }], 'drop_too_short'],
  ['a header alone', [{ address: LOW, bytes: 12 }], 'drop_too_short'],
  ['less than an Ethernet header', [{ address: LOW, bytes: 25 }], 'drop_too_short'],
];
const RECEIVING: [string, Raw[], string][] = [
  ['a buffer to read', [{ address: LOW, bytes: 2000 }], 'drop_too_long'],
  ['part of a header', [{ address: LOW, bytes: 11, flags: WRITE }], 'drop_too_long'],
  ['a header alone', [{ address: LOW, bytes: 12, flags: WRITE }], 'drop_too_long'],
  ['nothing', [{ address: LOW, bytes: 0, flags: WRITE }], 'drop_too_long'],
];

function writable(descriptors: readonly Raw[]): Raw[] {
  return descriptors.map((each) => ({ ...each, flags: (each.flags ?? 0) | WRITE }));
}

describe.each(KINDS)('a driver that breaks the rules, %s', (_, options) => {
  const own = options.format === 'split' ? SPLIT : [];

  it.each([...own, ...BOTH, ...SENT])('sends %s', (what, descriptors, expected) => {
    const rig = new PathRig(options);
    offer(rig, 1, descriptors);
    if (what.startsWith('head')) rig.arena.u16[(rig.places[1].driverOffset + 4) >>> 1] = QUEUE_SIZE;
    expect(outcome(rig, 1)).toBe(expected);
  });

  it.each([...own, ...BOTH.filter(([what]) => !what.includes('4 GiB')), ...RECEIVING])(
    'offers %s to receive',
    (what, descriptors, expected) => {
      const rig = new PathRig(options);
      offer(rig, 0, what.includes('read') ? descriptors : writable(descriptors));
      if (what.startsWith('head')) rig.arena.u16[(rig.places[0].driverOffset + 4) >>> 1] = QUEUE_SIZE;
      expect(outcome(rig, 0)).toBe(expected);
    },
  );

  it('sends tables without having negotiated them', () => {
    const rig = new PathRig({
      ...options,
      features: options.features.filter((name) => name !== 'INDIRECT_DESC'),
    });
    offer(rig, 1, [{ address: LOW, bytes: 32, flags: INDIRECT }]);
    expect(outcome(rig, 1)).toBe('indirect_feature');
  });

  it('cuts a frame into pieces of one byte, header and all', () => {
    const rig = new PathRig(options);
    const bytes = 12 + 30;
    offer(
      rig,
      1,
      Array.from({ length: bytes }, (__, i) => ({
        address: LOW + 100 * i,
        bytes: 1,
        flags: i + 1 < bytes ? NEXT : 0,
        next: i + 1,
      })),
    );
    pattern(3, 30).forEach((byte, i) => {
      rig.arena.u8[rig.placeOf(LOW + 100 * (12 + i))] = byte;
    });
    expect(rig.transmit.dequeue(rig.batch, 64)).toBe(1);
    expect(rig.frame(0).equals(pattern(3, 30))).toBe(true);
  });

  it('writes anything into its memory while frames move: nothing is thrown, and no byte of ours is touched', () => {
    const word = fc.oneof(
      fc.constantFrom(0, 1, 2, 4, 0x80, 0x82, 0x8000, 0x8080, 63, 64),
      fc.nat({ max: 0xffff }),
    );
    const scribble = fc.record({
      queue: fc.nat({ max: 1 }),
      area: fc.constantFrom('descOffset', 'driverOffset', 'deviceOffset'),
      at: fc.nat({ max: 255 }),
      word,
    });
    const used = new UsedBatch(64);
    fc.assert(
      fc.property(fc.array(fc.array(scribble, { maxLength: 6 }), { maxLength: 20 }), (turns) => {
        const rig = new PathRig({ ...options, features: [...options.features, 'MRG_RXBUF', 'EVENT_IDX'] });
        const forward = rig.oneCopy(true);
        const { arena, batch } = rig;
        const ours = Buffer.from(arena.u8.slice(rig.quietAt, OWN_END));
        for (const scribbles of turns) {
          for (let i = 0; i < 8; i++) {
            if (rig.tx.freeSlots > 0) rig.tx.addOne(LOW + 4096 * i, 60 + i, false, i);
            if (rig.rx.freeSlots > 0) rig.rx.addOne(HIGH + 4096 * i, 2048, true, i);
          }
          rig.tx.publish();
          rig.rx.publish();
          for (const { queue, area, at, word: value } of scribbles) {
            arena.u16[(rig.places[queue][area] >>> 1) + at] = value;
          }
          if (forward.turn(64) === NEEDS_BATCH) rig.transmit.dequeue(batch, 16);
          rig.receive.enqueue(batch);
          rig.tx.popUsed(used, 64);
          rig.rx.popUsed(used, 64);
        }
        expect(Buffer.compare(arena.u8.subarray(rig.quietAt, OWN_END), ours)).toBe(0);
        for (const path of [rig.transmit, rig.receive]) {
          const { queue } = path.ring;
          expect(queue.counters.violations).toBe(queue.violation === 0 ? 0 : 1);
        }
      }),
      { numRuns: 40 },
    );
  });
});
