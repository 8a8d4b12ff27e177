import { describe, expect, it } from 'vitest';
import type { RingRuleCode } from '../src/index.ts';
import {
  AVAIL,
  BUFFER,
  INDIRECT,
  NEXT,
  type RawOptions,
  RawRing,
  TABLE,
  USED,
  WRITE,
} from './kit/raw-ring.ts';
import { GUEST } from './kit/traffic.ts';

type Case = readonly [what: string, code: RingRuleCode, options: RawOptions, seed: (ring: RawRing) => void];

const packed: RawOptions = { format: 'packed', size: 16 };
const indirect: RawOptions = { ...packed, features: ['INDIRECT_DESC'] };
const rx: RawOptions = { ...packed, direction: 'rx' };

/** Frames 0 to 2, each with its id, go through the ring one after the other. */
function afterThree(then: (ring: RawRing) => void): (ring: RawRing) => void {
  return (ring) => {
    for (let slot = 0; slot < 3; slot++) {
      ring.put(slot, BUFFER, 72, AVAIL, slot);
      ring.look();
      ring.put(slot, BUFFER, 0, AVAIL | USED, slot);
      ring.look();
    }
    then(ring);
  };
}

const CASES: readonly Case[] = [
  ['id beyond the queue', 'id-range', packed, (ring) => ring.put(0, BUFFER, 72, AVAIL, 16)],
  [
    'id twice',
    'id-busy',
    packed,
    afterThree((ring) => {
      // with the first of them seen alone
      ring.put(3, BUFFER, 72, AVAIL, 3);
      ring.look();
      for (let i = 0; i < 70; i++) ring.look();
      ring.put(4, BUFFER, 72, AVAIL, 3);
    }),
  ],
  [
    'list that is cut off',
    'chain-torn',
    packed,
    afterThree((ring) => ring.put(3, BUFFER, 72, AVAIL | NEXT, 3)),
  ],
  [
    'AVAIL flipped inside of a list',
    'chain-torn',
    packed,
    afterThree((ring) => {
      ring.put(4, BUFFER, 72, USED, 3);
      ring.put(3, BUFFER, 72, AVAIL | NEXT, 3);
    }),
  ],
  [
    'AVAIL and USED equal inside of a list',
    'chain-torn',
    { ...packed, features: ['IN_ORDER'] },
    afterThree((ring) => {
      ring.put(4, BUFFER, 72, AVAIL | USED, 3);
      ring.put(3, BUFFER, 72, AVAIL | NEXT, 3);
    }),
  ],
  ['INDIRECT not negotiated', 'indirect-feature', packed, (ring) => ring.put(0, TABLE, 16, AVAIL | INDIRECT)],
  ['INDIRECT and NEXT', 'indirect-next', indirect, (ring) => ring.put(0, TABLE, 16, AVAIL | INDIRECT | NEXT)],
  [
    'INDIRECT in a list',
    'indirect-next',
    indirect,
    (ring) => {
      ring.put(1, TABLE, 16, AVAIL | INDIRECT);
      ring.put(0, BUFFER, 72, AVAIL | NEXT);
    },
  ],
  ['table of 24 bytes', 'indirect-length', indirect, (ring) => ring.put(0, TABLE, 24, AVAIL | INDIRECT)],
  [
    'INDIRECT in a table',
    'indirect-nested',
    indirect,
    (ring) => {
      ring.entry(0, BUFFER, 72, INDIRECT);
      ring.put(0, TABLE, 16, AVAIL | INDIRECT);
    },
  ],
  [
    'table outside of memory',
    'indirect-outside',
    indirect,
    (ring) => ring.put(0, GUEST + (1 << 20), 16, AVAIL | INDIRECT),
  ],
  [
    'readable after writable',
    'read-after-write',
    packed,
    (ring) => {
      ring.put(1, BUFFER, 72, AVAIL);
      ring.put(0, BUFFER, 72, AVAIL | WRITE | NEXT);
    },
  ],
  ['buffer outside of memory', 'address-outside', packed, (ring) => ring.put(0, 4096, 72, AVAIL)],
  ['receive buffer to read', 'rx-readable', rx, (ring) => ring.put(0, BUFFER, 2048, AVAIL)],
  ['receive buffer below the header', 'rx-short', rx, (ring) => ring.put(0, BUFFER, 8, AVAIL | WRITE)],
  ['transmit buffer to write', 'tx-writable', packed, (ring) => ring.put(0, BUFFER, 72, AVAIL | WRITE)],
  ['header and nothing else', 'tx-frame-short', packed, (ring) => ring.put(0, BUFFER, 12, AVAIL)],
  [
    'NEEDS_CSUM not negotiated',
    'tx-csum-feature',
    packed,
    (ring) => {
      ring.u16(BUFFER - GUEST, 1);
      ring.put(0, BUFFER, 72, AVAIL);
    },
  ],
  ['driver flags 3', 'driver-event', packed, (ring) => ring.u32(ring.driver, 3 << 16)],
  ['device flags 3', 'device-event', packed, (ring) => ring.u32(ring.device, 3 << 16)],
  ['driver flags DESC without EVENT_IDX', 'driver-event', packed, (ring) => ring.u32(ring.driver, 2 << 16)],
  [
    'driver offset beyond the ring',
    'driver-event',
    { ...packed, features: ['EVENT_IDX'] },
    (ring) => ring.u32(ring.driver, (2 << 16) | 0x8010),
  ],
  [
    'used id beyond the queue',
    'used-id-range',
    packed,
    afterThree((ring) => {
      ring.put(3, BUFFER, 72, AVAIL, 3);
      ring.look();
      ring.put(3, BUFFER, 0, AVAIL | USED, 16);
    }),
  ],
  [
    'used id never offered',
    'used-id-unknown',
    packed,
    afterThree((ring) => {
      ring.put(3, BUFFER, 72, AVAIL, 3);
      ring.look();
      ring.put(3, BUFFER, 0, AVAIL | USED, 7);
    }),
  ],
  [
    'used length beyond the buffer',
    'used-length',
    rx,
    (ring) => {
      ring.put(0, BUFFER, 2048, AVAIL | WRITE);
      ring.look();
      ring.put(0, BUFFER, 2049, AVAIL | USED | WRITE);
    },
  ],
];

describe('each broken rule of a packed ring is named', () => {
  it.each(CASES)('%s: %s', (_what, code, options, seed) => {
    const ring = new RawRing(options);
    seed(ring);
    expect(ring.codes()).toEqual([code]);
    const [violation] = ring.found;
    expect(violation.clause).toMatch(/^(virtio 1\.3, \d|vhost-user, )/);
    expect(violation.text).not.toMatch(/%|NaN|undefined/);
    expect(ring.found).toHaveLength(1);
  });
});

describe('a ring that is full when its device starts', () => {
  it('is followed from there', () => {
    const ring = new RawRing(rx, (raw) => {
      for (let slot = 0; slot < 16; slot++) raw.put(slot, BUFFER, 2048, AVAIL | WRITE, slot);
    });
    ring.put(0, BUFFER, 2049, AVAIL | USED | WRITE, 0);
    expect(ring.codes()).toEqual(['used-length']);
  });

  it('is named when NEXT goes on for ever', () => {
    const ring = new RawRing(packed, (raw) => {
      for (let slot = 0; slot < 16; slot++) raw.put(slot, BUFFER, 72, AVAIL | NEXT, slot);
    });
    expect(ring.codes()).toEqual(['chain-loop']);
  });
});

describe('a ring that has been running, and is never empty', () => {
  it('is judged once its device has kept an order', () => {
    const ring = new RawRing({ ...rx, base: null }, (raw) => {
      for (let slot = 0; slot < 16; slot++) raw.put(slot, BUFFER, 2048, AVAIL | WRITE, slot);
    });
    let wrap = 1;
    for (let step = 0; step < 96; step++) {
      const slot = step % 16;
      const [available, used] = wrap === 1 ? [USED, AVAIL | USED] : [AVAIL, 0];
      ring.put(slot, BUFFER, 100, used | WRITE, slot);
      expect(ring.look()).toEqual([]);
      ring.put(slot, BUFFER, 2048, available | WRITE, slot);
      expect(ring.look()).toEqual([]);
      if (slot === 15) wrap ^= 1;
    }
    expect(ring.observer.totals.chains).toBeGreaterThan(20);
    ring.put(0, BUFFER, 100, AVAIL | USED | WRITE, 0);
    ring.look();
    ring.put(0, BUFFER, 8, USED | WRITE, 0);
    expect(ring.codes()).toEqual(['rx-short']);
  });
});

describe('what is allowed is not named', () => {
  it.each<readonly [string, RawOptions, (ring: RawRing) => void]>([
    [
      'length of a used descriptor without WRITE',
      packed,
      (ring) => {
        ring.put(0, BUFFER, 72, AVAIL);
        ring.look();
        ring.put(0, BUFFER, 5000, AVAIL | USED);
      },
    ],
    [
      'a table at an odd address, its flags other than WRITE ignored',
      indirect,
      (ring) => {
        ring.entry(0, BUFFER, 72, NEXT, 99);
        ring.arena.u8.copyWithin(TABLE - GUEST + 1, TABLE - GUEST, TABLE - GUEST + 16);
        ring.put(0, TABLE + 1, 16, AVAIL | INDIRECT | WRITE);
      },
    ],
    ['an offset of any value when events are on for all', packed, (ring) => ring.u32(ring.driver, 0x7fff)],
    [
      'a prepared used descriptor',
      packed,
      (ring) => {
        ring.put(0, BUFFER, 72, AVAIL);
        ring.look();
        ring.put(0, BUFFER, 0, AVAIL);
        for (let i = 0; i < 50; i++) ring.look();
        ring.put(0, BUFFER, 0, AVAIL | USED);
      },
    ],
  ])('%s', (_what, options, seed) => {
    const ring = new RawRing(options);
    seed(ring);
    expect(ring.codes()).toEqual([]);
  });
});
