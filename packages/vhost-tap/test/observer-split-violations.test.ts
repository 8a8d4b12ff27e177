import type { FeatureName } from '@vhostlab/virtio-net';
import { describe, expect, it } from 'vitest';
import type { RingRuleCode } from '../src/index.ts';
import { BUFFER, INDIRECT, NEXT, type RawOptions, RawRing, TABLE, WRITE } from './kit/raw-ring.ts';
import { GUEST } from './kit/traffic.ts';

type Case = readonly [what: string, code: RingRuleCode, options: RawOptions, seed: (ring: RawRing) => void];

const indirect: RawOptions = { features: ['INDIRECT_DESC'] };
const rx: RawOptions = { direction: 'rx' };
const offloads = (...features: FeatureName[]): RawOptions => ({ features });

/** One chain at head 0, as `put` writes it. */
function chain(put: (ring: RawRing) => void): (ring: RawRing) => void {
  return (ring) => {
    put(ring);
    ring.offer(0, 0);
  };
}

/** A frame of 60 bytes whose virtio_net_hdr has these 16-bit words. */
function header(...words: number[]): (ring: RawRing) => void {
  return chain((ring) => {
    words.forEach((word, i) => {
      ring.u16(BUFFER - GUEST + 2 * i, word);
    });
    ring.put(0, BUFFER, 72, 0);
  });
}

/** Buffers 0 and 1 offered and seen. */
function twoOffered(then: (ring: RawRing) => void): (ring: RawRing) => void {
  return (ring) => {
    ring.frame(0);
    ring.frame(1);
    ring.offer(0, 0, 1);
    ring.look();
    then(ring);
  };
}

/** Two receive buffers of 2048 bytes offered and seen. */
function twoBuffers(then: (ring: RawRing) => void): (ring: RawRing) => void {
  return (ring) => {
    ring.put(0, BUFFER, 2048, WRITE);
    ring.put(1, BUFFER + 2048, 2048, WRITE);
    ring.offer(0, 0, 1);
    ring.look();
    then(ring);
  };
}

const CASES: readonly Case[] = [
  ['avail.idx beyond the queue', 'avail-index-jump', {}, (ring) => ring.u16(ring.driver + 2, 9)],
  ['avail.idx behind used.idx', 'avail-index-back', {}, (ring) => ring.u16(ring.driver + 2, 0xffff)],
  ['avail.idx back', 'avail-index-back', {}, twoOffered((ring) => ring.u16(ring.driver + 2, 1))],
  ['avail.flags', 'avail-flags', {}, (ring) => ring.u16(ring.driver, 6)],
  ['head beyond the table', 'avail-head-range', {}, (ring) => ring.offer(0, 8)],
  ['head twice', 'avail-head-busy', {}, twoOffered((ring) => ring.offer(2, 1))],
  ['head twice, in order', 'avail-head-busy', offloads('IN_ORDER'), twoOffered((ring) => ring.offer(2, 1))],
  [
    'head twice, in order, at a ring that has been running',
    'avail-head-busy',
    { features: ['IN_ORDER'], base: null },
    (ring) => {
      for (let slot = 0; slot < 8; slot++) ring.frame(slot);
      // more buffers have gone through since the last look than can be followed
      ring.u16(ring.device + 2, 5000);
      ring.offer(5000, 3, 4, 5, 4);
    },
  ],
  ['next beyond the table', 'next-range', {}, chain((ring) => ring.put(0, BUFFER, 72, NEXT, 8))],
  ['loop', 'chain-loop', {}, chain((ring) => ring.put(0, BUFFER, 72, NEXT, 0))],
  ['loop of empty descriptors', 'chain-loop', {}, chain((ring) => ring.put(0, BUFFER, 0, NEXT, 0))],
  [
    'more than 2^32 bytes',
    'chain-bytes',
    {},
    chain((ring) => {
      ring.put(0, BUFFER, 0xffffffff, NEXT, 1);
      ring.put(1, BUFFER, 72, 0);
    }),
  ],
  ['INDIRECT not negotiated', 'indirect-feature', {}, chain((ring) => ring.put(0, TABLE, 16, INDIRECT))],
  ['table of 0 bytes', 'indirect-length', indirect, chain((ring) => ring.put(0, TABLE, 0, INDIRECT))],
  ['table of 24 bytes', 'indirect-length', indirect, chain((ring) => ring.put(0, TABLE, 24, INDIRECT))],
  [
    'table of 65537 entries',
    'indirect-length',
    indirect,
    chain((ring) => ring.put(0, TABLE, 16 * 65537, INDIRECT)),
  ],
  [
    'table longer than the queue',
    'chain-long',
    indirect,
    chain((ring) => {
      for (let i = 0; i < 10; i++) ring.entry(i, BUFFER, 100, i < 9 ? NEXT : 0, i + 1);
      ring.put(0, TABLE, 160, INDIRECT);
    }),
  ],
  [
    'INDIRECT in a table',
    'indirect-nested',
    indirect,
    chain((ring) => {
      ring.entry(0, TABLE, 16, INDIRECT);
      ring.put(0, TABLE, 16, INDIRECT);
    }),
  ],
  [
    'next beyond an indirect table',
    'next-range',
    indirect,
    chain((ring) => {
      ring.entry(0, BUFFER, 72, NEXT, 2);
      ring.put(0, TABLE, 32, INDIRECT);
    }),
  ],
  [
    'loop in an indirect table',
    'chain-loop',
    indirect,
    chain((ring) => {
      ring.entry(0, BUFFER, 72, NEXT, 1);
      ring.entry(1, BUFFER, 72, NEXT, 0);
      ring.put(0, TABLE, 32, INDIRECT);
    }),
  ],
  [
    'INDIRECT and NEXT',
    'indirect-next',
    indirect,
    chain((ring) => ring.put(0, TABLE, 16, INDIRECT | NEXT, 1)),
  ],
  [
    'table outside of memory',
    'indirect-outside',
    indirect,
    chain((ring) => ring.put(0, GUEST + (1 << 20) - 8, 32, INDIRECT)),
  ],
  [
    'length written again while the device has the buffer',
    'chain-changed',
    {},
    twoOffered((ring) => ring.put(1, BUFFER + 256, 90, 0)),
  ],
  [
    'readable after writable',
    'read-after-write',
    {},
    chain((ring) => {
      ring.put(0, BUFFER, 72, WRITE | NEXT, 1);
      ring.put(1, BUFFER, 72, 0);
    }),
  ],
  ['buffer at 0', 'address-outside', {}, chain((ring) => ring.put(0, 0, 72, 0))],
  ['buffer at the top', 'address-outside', {}, chain((ring) => ring.put(0, 2 ** 64 - 4096, 72, 0))],
  [
    'buffer across the end of memory',
    'address-outside',
    {},
    chain((ring) => ring.put(0, GUEST + (1 << 20) - 64, 72, 0)),
  ],
  ['receive buffer to read', 'rx-readable', rx, chain((ring) => ring.put(0, BUFFER, 2048, 0))],
  ['receive buffer below the header', 'rx-short', rx, chain((ring) => ring.put(0, BUFFER, 11, WRITE))],
  ['transmit buffer to write', 'tx-writable', {}, chain((ring) => ring.put(0, BUFFER, 72, WRITE))],
  ['transmit buffer below the header', 'tx-no-header', {}, chain((ring) => ring.put(0, BUFFER, 11, 0))],
  ['header and nothing else', 'tx-frame-short', {}, chain((ring) => ring.put(0, BUFFER, 12, 0))],
  [
    'header over descriptors of one byte, nothing else',
    'tx-frame-short',
    { size: 16 },
    chain((ring) => {
      for (let i = 0; i < 12; i++) ring.put(i, BUFFER + i, 1, i < 11 ? NEXT : 0, i + 1);
    }),
  ],
  ['frame of 13 bytes', 'tx-frame-short', {}, chain((ring) => ring.put(0, BUFFER, 25, 0))],
  ['frame of 70000 bytes', 'tx-frame-long', {}, chain((ring) => ring.put(0, BUFFER, 70012, 0))],
  ['NEEDS_CSUM not negotiated', 'tx-csum-feature', {}, header(1)],
  ['csum_start beyond the frame', 'tx-csum-range', offloads('CSUM'), header(1, 0, 0, 60, 16)],
  ['csum_offset beyond the frame', 'tx-csum-range', offloads('CSUM'), header(1, 0, 0, 34, 0xfff0)],
  ['gso_type 9', 'tx-gso-type', offloads('CSUM', 'HOST_TSO4'), header(0x901, 54, 1460, 34, 16)],
  [
    'gso_type not negotiated',
    'tx-gso-feature',
    offloads('CSUM', 'HOST_TSO4'),
    header(0x401, 54, 1460, 34, 16),
  ],
  ['gso_size 0', 'tx-gso-size', offloads('CSUM', 'HOST_TSO4'), header(0x101, 54, 0, 34, 16)],
  ['GSO without NEEDS_CSUM', 'tx-gso-csum', offloads('CSUM', 'HOST_TSO4'), header(0x100, 54, 1460, 34, 16)],
  ['hdr_len beyond the frame', 'tx-hdr-len', offloads('CSUM', 'HOST_TSO4'), header(0x101, 61, 1460, 34, 16)],
  ['used.idx beyond avail.idx', 'used-index-jump', {}, twoOffered((ring) => ring.u16(ring.device + 2, 3))],
  [
    'used.idx back',
    'used-index-back',
    {},
    twoOffered((ring) => {
      ring.use(0, [0, 0], [1, 0]);
      ring.look();
      ring.u16(ring.device + 2, 1);
    }),
  ],
  ['used.flags', 'used-flags', {}, (ring) => ring.u16(ring.device, 0xfffe)],
  ['used id beyond the table', 'used-id-range', {}, twoOffered((ring) => ring.use(0, [8, 0]))],
  ['used id never offered', 'used-id-unknown', {}, twoOffered((ring) => ring.use(0, [5, 0]))],
  ['used id twice', 'used-id-unknown', {}, twoOffered((ring) => ring.use(0, [0, 0], [0, 0]))],
  [
    'used id never offered, in order',
    'used-id-unknown',
    offloads('IN_ORDER'),
    twoOffered((ring) => ring.use(0, [5, 0])),
  ],
  [
    'used id beyond the table, in order',
    'used-id-range',
    offloads('IN_ORDER'),
    twoOffered((ring) => ring.use(0, [1 << 16, 0])),
  ],
  ['used length on a transmit buffer', 'used-length', {}, twoOffered((ring) => ring.use(0, [0, 72]))],
  ['used length beyond the buffer', 'used-length', rx, twoBuffers((ring) => ring.use(0, [0, 2049]))],
  [
    'used length beyond the buffer, in order',
    'used-length',
    { direction: 'rx', features: ['IN_ORDER'] },
    twoBuffers((ring) => ring.use(0, [0, 2049])),
  ],
  [
    'used ring written by the guest',
    'used-entry-changed',
    {},
    twoOffered((ring) => {
      ring.use(0, [0, 0], [1, 0]);
      ring.look();
      ring.u32(ring.device + 4, 3);
    }),
  ],
  [
    'both indices nonsense',
    'index-gap',
    {},
    (ring) => {
      ring.u16(ring.driver + 2, 1000);
      ring.u16(ring.device + 2, 500);
    },
  ],
];

describe('each broken rule of a split ring is named', () => {
  it.each(CASES)('%s: %s', (_what, code, options, seed) => {
    const ring = new RawRing(options);
    seed(ring);
    expect(ring.codes()).toEqual([code]);
    const [violation] = ring.found;
    expect(violation.queue).toBe(options.direction === 'rx' ? 0 : 1);
    expect(violation.clause).toMatch(/^(virtio 1\.3, \d|vhost-user, )/);
    expect(violation.text).not.toMatch(/%|NaN|undefined/);
  });

  it('is said once, however long it lasts', () => {
    const ring = new RawRing();
    ring.u16(ring.driver + 2, 9);
    ring.codes();
    expect(ring.found).toHaveLength(1);
    expect(ring.observer.totals.violations).toBe(1);
  });
});

describe('what is allowed is not named', () => {
  it.each<readonly [string, RawOptions, (ring: RawRing) => void]>([
    [
      'event words of any value',
      offloads('EVENT_IDX'),
      (ring) => ring.u16(ring.driver + 4 + 2 * ring.size, 0x7777),
    ],
    [
      'WRITE on a descriptor with INDIRECT',
      indirect,
      (ring) => {
        ring.entry(0, BUFFER, 72, 0);
        ring.put(0, TABLE, 16, INDIRECT | WRITE);
        ring.offer(0, 0);
      },
    ],
    [
      'plain descriptors before an indirect one',
      indirect,
      (ring) => {
        ring.entry(0, BUFFER, 72, 0);
        ring.put(0, BUFFER, 12, NEXT, 1);
        ring.put(1, TABLE, 16, INDIRECT);
        ring.offer(0, 0);
      },
    ],
    [
      'a table at an odd address',
      indirect,
      (ring) => {
        ring.arena.u8.copyWithin(TABLE - GUEST + 1, TABLE - GUEST, TABLE - GUEST + 16);
        ring.put(0, TABLE + 1, 16, INDIRECT);
        ring.entry(0, BUFFER, 72, 0);
        ring.arena.u8.copyWithin(TABLE - GUEST + 1, TABLE - GUEST, TABLE - GUEST + 16);
        ring.offer(0, 0);
      },
    ],
    ['buffers used in any order', {}, twoOffered((ring) => ring.use(0, [1, 0], [0, 0]))],
    ['a frame with offloads', offloads('CSUM', 'HOST_TSO4'), header(0x101, 54, 1460, 34, 16)],
  ])('%s', (_what, options, seed) => {
    const ring = new RawRing(options);
    seed(ring);
    expect(ring.codes()).toEqual([]);
    expect(ring.found).toEqual([]);
  });
});
