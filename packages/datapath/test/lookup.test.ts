import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Datapath,
  type DatapathOptions,
  encodeActions,
  flowHash,
  HIT_EMC,
  HIT_MASK_CACHE,
  HIT_OFFLOAD,
  HIT_SMC,
  HIT_SUBTABLE,
  KEY_WORDS,
  STATUS_FULL,
  STATUS_INVALID,
  STATUS_OK,
  W_ETH0,
  W_IN_PORT,
  W_IP_DST,
  W_TP,
  W_TYPE_TCI,
} from '../src/index.ts';

const KINDS: [string, DatapathOptions][] = [
  ['kernel', { kind: 'kernel' }],
  ['kernel without mask cache', { kind: 'kernel', kernel: { maskCacheEntries: 0 } }],
  [
    'kernel, tiny mask cache, ranking',
    { kind: 'kernel', kernel: { maskCacheEntries: 4, rankIntervalPs: 3 } },
  ],
  ['userspace', { kind: 'userspace', userspace: { rankIntervalPs: 5 } }],
  ['userspace, tiny EMC', { kind: 'userspace', userspace: { emcEntries: 2, emcInsertInverse: 1 } }],
  ['userspace, SMC', { kind: 'userspace', userspace: { emcInsertInverse: 0, smcEntries: 8 } }],
  ['offloaded', { kind: 'offloaded' }],
];
const PORT_WORDS = [W_IN_PORT, W_TYPE_TCI, W_ETH0, W_IP_DST, W_TP];

function keyOf(values: number[]): Uint32Array {
  const key = new Uint32Array(KEY_WORDS);
  PORT_WORDS.forEach((word, i) => {
    key[word] = values[i];
  });
  key[W_TYPE_TCI] |= 0x0800_0000;
  return key;
}

/** Small values so that random keys meet random flows. */
const key = fc.tuple(...PORT_WORDS.map(() => fc.nat({ max: 2 }))).map(keyOf);
const mask = fc
  .tuple(...PORT_WORDS.slice(1).map(() => fc.constantFrom(0, 1, 2, 0xffffffff)))
  .map(([...bits]) => {
    const words = new Uint32Array(KEY_WORDS);
    words[W_IN_PORT] = 0xffffffff;
    PORT_WORDS.slice(1).forEach((word, i) => {
      words[word] = bits[i];
    });
    return words;
  });
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('put' as const), key, mask, port: fc.nat({ max: 9 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('remove' as const), pick: fc.nat() }) },
  { weight: 8, arbitrary: fc.record({ op: fc.constant('lookup' as const), key }) },
);

interface NaiveFlow {
  key: Uint32Array;
  mask: Uint32Array;
  port: number;
}

function covers(flow: { key: Uint32Array; mask: Uint32Array }, packet: Uint32Array): boolean {
  return flow.mask.every((bits, w) => ((flow.key[w] ^ packet[w]) & bits) === 0);
}

function overlap(a: NaiveFlow, b: NaiveFlow): boolean {
  return a.mask.every((bits, w) => ((a.key[w] ^ b.key[w]) & bits & b.mask[w]) === 0);
}

function same(a: NaiveFlow, b: NaiveFlow): boolean {
  return a.mask.every((bits, w) => bits === b.mask[w] && ((a.key[w] ^ b.key[w]) & bits) === 0);
}

describe.each(KINDS)('lookup of %s', (_name, options) => {
  it('equals a linear scan over disjoint megaflows', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const datapath = new Datapath(options);
        let naive: NaiveFlow[] = [];
        let now = 0;
        for (const s of steps) {
          now++;
          if (s.op === 'put') {
            if (naive.some((flow) => overlap(flow, s) && !same(flow, s))) continue;
            const program = encodeActions([{ type: 'output', port: s.port }]);
            expect(datapath.put({ key: s.key, mask: s.mask, program }, now, s.key, flowHash(s.key, 0))).toBe(
              STATUS_OK,
            );
            naive = [...naive.filter((flow) => !same(flow, s)), s];
          } else if (s.op === 'remove') {
            if (naive.length === 0) continue;
            const victim = naive[s.pick % naive.length];
            expect(datapath.remove(victim.key, victim.mask)).toBe(true);
            naive = naive.filter((flow) => flow !== victim);
          } else {
            for (let again = 0; again < 2; again++) {
              const found = datapath.lookup(s.key, 0, flowHash(s.key, 0), now);
              const expected = naive.find((flow) => covers(flow, s.key));
              expect(found < 0 ? undefined : datapath.program(found)[1]).toBe(expected?.port);
            }
          }
          expect(datapath.flows.count).toBe(naive.length);
        }
        const masks = new Set(
          naive.map(
            (flow) => `${options.kind === 'userspace' ? flow.key[W_IN_PORT] : ''}:${flow.mask.join()}`,
          ),
        );
        expect(datapath.flows.maskCount).toBe(masks.size);
        const { tally } = datapath;
        expect(tally.lookups).toBe(steps.filter((s) => s.op === 'lookup').length * 2);
      }),
      { numRuns: 150 },
    );
  });
});

function flowFor(port: number, extra = 0) {
  const mask = new Uint32Array(KEY_WORDS);
  mask[W_IN_PORT] = 0xffffffff;
  mask[W_TP] = extra === 0 ? 0 : 0xffffffff;
  return { key: keyOf([port, 0, 0, 0, extra]), mask, program: encodeActions([{ type: 'output', port: 1 }]) };
}

describe('caches', () => {
  it('answers from the EMC after one insertion, and not after the flow is gone', () => {
    const datapath = new Datapath({ kind: 'userspace', userspace: { emcInsertInverse: 1 } });
    const flow = flowFor(1);
    datapath.put(flow, 0, flow.key, 77);
    expect(datapath.lookup(flow.key, 0, 77, 0)).toBe(0);
    expect([datapath.lastHit, datapath.lastProbes]).toEqual([HIT_EMC, 0]);
    datapath.remove(flow.key, flow.mask);
    expect(datapath.lookup(flow.key, 0, 77, 0)).toBe(-1);
    datapath.put({ ...flow, program: encodeActions([{ type: 'drop' }]) }, 0, keyOf([1, 0, 0, 0, 3]), 78);
    expect(datapath.lookup(flow.key, 0, 77, 0)).toBe(0);
    expect(datapath.lastHit).toBe(HIT_SUBTABLE);
  });

  it('inserts about one in a hundred into the EMC, the same ones each time', () => {
    const inserted = () => {
      const datapath = new Datapath({ kind: 'userspace', userspace: { seed: 5, emcEntries: 65536 } });
      const flow = flowFor(1);
      datapath.put(flow, 0);
      const hits: number[] = [];
      for (let i = 0; i < 4000; i++) datapath.lookup(keyOf([1, 0, 0, 0, i]), 0, i, 0);
      for (let i = 0; i < 4000; i++) {
        datapath.lookup(keyOf([1, 0, 0, 0, i]), 0, i, 0);
        if (datapath.lastHit === HIT_EMC) hits.push(i);
      }
      return hits;
    };
    const first = inserted();
    expect(first).toEqual(inserted());
    expect(first.length).toBeGreaterThan(20);
    expect(first.length).toBeLessThan(100);
  });

  it('answers from the SMC under the flow mask', () => {
    const datapath = new Datapath({
      kind: 'userspace',
      userspace: { emcInsertInverse: 0, smcEntries: 1024 },
    });
    const flow = flowFor(1);
    datapath.put(flow, 0, flow.key, 0x12345678);
    expect(datapath.lookup(keyOf([1, 0, 0, 0, 9]), 0, 0x12345678, 0)).toBe(0);
    expect(datapath.lastHit).toBe(HIT_SMC);
    expect(datapath.lookup(keyOf([2, 0, 0, 0, 9]), 0, 0x12345678, 0)).toBe(-1);
  });

  it('finds the mask by hash in the kernel and then probes it only', () => {
    const datapath = new Datapath({ kind: 'kernel' });
    for (let bit = 0; bit < 5; bit++) {
      const mask = new Uint32Array(KEY_WORDS);
      mask[W_IN_PORT] = 0xffffffff;
      mask[W_ETH0] = 1 << bit;
      datapath.put({ key: keyOf([bit + 1, 0, 1 << bit, 0, 0]), mask, program: encodeActions([]) }, 0);
    }
    const packet = keyOf([5, 0, 16, 0, 0]);
    expect(datapath.lookup(packet, 0, 99, 0)).toBe(4);
    expect([datapath.lastHit, datapath.lastProbes]).toEqual([HIT_SUBTABLE, 5]);
    expect(datapath.lookup(packet, 0, 99, 0)).toBe(4);
    expect([datapath.lastHit, datapath.lastProbes]).toEqual([HIT_MASK_CACHE, 1]);
    datapath.lookup(packet, 0, 99, 5e12);
    datapath.lookup(packet, 0, 100, 5e12);
    expect(datapath.lastProbes).toBe(1);
  });

  it('installs offloaded flows one after the other', () => {
    const datapath = new Datapath({ kind: 'offloaded', flowCapacity: 3, offload: { insertsPerSecond: 1e6 } });
    for (let port = 1; port <= 3; port++) expect(datapath.put(flowFor(port), 0)).toBe(STATUS_OK);
    expect(datapath.put(flowFor(4), 0)).toBe(STATUS_FULL);
    expect(datapath.refused).toBe(1);
    const key2 = flowFor(2).key;
    expect(datapath.lookup(key2, 0, 0, 1_999_999)).toBe(-1);
    expect(datapath.lookup(key2, 0, 0, 2_000_000)).toBe(1);
    expect(datapath.lastHit).toBe(HIT_OFFLOAD);
  });

  it('refuses a user-space flow for any port', () => {
    const flow = flowFor(1);
    flow.mask[W_IN_PORT] = 0;
    expect(new Datapath({ kind: 'userspace' }).put(flow, 0)).toBe(STATUS_INVALID);
  });

  it('expires idle flows only', () => {
    const datapath = new Datapath({ kind: 'kernel' });
    datapath.put(flowFor(1), 0);
    datapath.put(flowFor(2), 0);
    datapath.account(0, 1, 60, 900);
    expect(datapath.expire(1000, 500)).toBe(1);
    expect(datapath.dump().map((flow) => [flow.key[W_IN_PORT], flow.packets, flow.bytes])).toEqual([
      [1, 1, 60],
    ]);
    datapath.put(flowFor(3), 1000);
    expect(datapath.flows.stats(1)).toEqual({ packets: 0, bytes: 0, lastUsedPs: -1 });
    datapath.flush();
    expect([datapath.flows.count, datapath.flows.maskCount]).toEqual([0, 0]);
  });

  it('holds ten thousand flows of one mask', () => {
    const datapath = new Datapath({ kind: 'userspace' });
    for (let i = 1; i <= 10_000; i++) datapath.put(flowFor(1, i), 0);
    for (let i = 1; i <= 10_000; i++) expect(datapath.lookup(keyOf([1, 0, 0, 0, i]), 0, i, 0)).toBe(i - 1);
  });
});
