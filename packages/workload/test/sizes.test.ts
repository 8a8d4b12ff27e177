import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatGenome,
  listWorkloads,
  NAMED_MIXES,
  parseFrameSizes,
  parseGenome,
  RFC2544_SIZES,
} from '../src/index.ts';

function census(sizes: readonly number[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const size of sizes) counts[size] = (counts[size] ?? 0) + 1;
  return counts;
}

describe('RFC 6985 genomes', () => {
  it('reads the example of the RFC: 64, 64, 64, 1280, 1518', () => {
    expect(parseGenome('IMIX - aaafg')).toEqual([64, 64, 64, 1280, 1518]);
    expect(formatGenome([64, 64, 64, 1280, 1518])).toBe('IMIX - aaafg');
  });

  it('knows every letter of its table', () => {
    expect(parseGenome('abcdefghij')).toEqual([64, 128, 256, 512, 1024, 1280, 1518, 2112, 9000, 16000]);
  });

  it('reads custom sizes and the MTU', () => {
    expect(parseGenome('aAz, A=570, z=1522')).toEqual([64, 570, 1522]);
  });

  it('comes back from its text', () => {
    const size = fc.oneof(fc.constantFrom(...RFC2544_SIZES), fc.integer({ min: 64, max: 80 }));
    fc.assert(
      fc.property(fc.array(size, { minLength: 1, maxLength: 60 }), (sizes) => {
        expect(parseGenome(formatGenome(sizes))).toEqual(sizes);
      }),
    );
  });

  it.each<[string, string]>([
    ['', 'has no sizes'],
    ['aakb', 'has "k"'],
    ['aA', 'does not say A=SIZE'],
    ['az', 'does not say z=SIZE'],
    ['aA, B', '"B" is not a custom size'],
  ])('refuses "%s"', (text, message) => {
    expect(() => parseGenome(text)).toThrow(message);
  });
});

describe('named mixes', () => {
  it.each<[string, Record<string, number>]>([
    ['imix', { 64: 28, 570: 16, 1518: 4 }],
    ['imix-ipv6', { 78: 28, 570: 16, 1518: 4 }],
    ['imix-csit-trex', { 64: 28, 594: 20, 1518: 4 }],
    ['imix-trex', { 64: 28, 594: 16, 1518: 4 }],
    ['imix-vsperf', { 64: 7, 512: 4, 1518: 1 }],
  ])('%s has the shares of its source', (name, shares) => {
    expect(census(parseFrameSizes(name))).toEqual(shares);
  });

  it('spreads sizes instead of sending them in blocks', () => {
    const sizes = parseFrameSizes('imix');
    const quarters = [0, 12, 24, 36].map((from) => census(sizes.slice(from, from + 12)));
    expect(quarters).toEqual(new Array(4).fill({ 64: 7, 570: 4, 1518: 1 }));
  });

  it('has a genome for every mix, with the convention in its description', () => {
    for (const mix of NAMED_MIXES) {
      expect(parseGenome(formatGenome(mix.sizes))).toEqual(mix.sizes);
      expect(mix.description).toMatch(/with(out)? FCS/);
    }
  });
});

describe('--size', () => {
  it('takes numbers, genomes and names', () => {
    expect(parseFrameSizes('64')).toEqual([64]);
    expect(parseFrameSizes(' IMIX - ag')).toEqual([64, 1518]);
    expect(parseFrameSizes('IMIX')).toHaveLength(48);
    expect(parseFrameSizes('aA, A=100')).toEqual([64, 100]);
  });

  it.each(['63', '16001', '0', '', 'huge', '64.5', '-64', 'aA, A=20'])(
    'refuses "%s" and says what is possible',
    (text) => {
      expect(() => parseFrameSizes(text)).toThrow(/size/);
    },
  );
});

describe('workloads', () => {
  it('lists the six of the command line, each with one line', () => {
    expect(listWorkloads().map(({ name }) => name)).toEqual(['tx', 'rx', 'pvp', 'v2v', 'rr', 'stream']);
    for (const { description } of listWorkloads()) expect(description).toMatch(/^[^\n]{20,100}$/);
  });
});
