/**
 * Frame size mixes. Sizes count the FCS, whatever the source's own convention is. A mix is a sequence that repeats;
 * those that their source gives as shares are spread evenly (smooth weighted round robin), as separate streams of
 * those rates would be.
 */
export interface Mix {
  name: string;
  description: string;
  /** Sizes in bytes with FCS, one period, in order of sending. */
  sizes: readonly number[];
}

/** Frame sizes of RFC 2544, 9.1, with FCS. */
export const RFC2544_SIZES: readonly number[] = [64, 128, 256, 512, 1024, 1280, 1518];

/** Letters of RFC 6985, 4: sizes with FCS. `z` is the MTU's frame and has to be stated. */
const GENOME: Record<string, number> = {
  a: 64,
  b: 128,
  c: 256,
  d: 512,
  e: 1024,
  f: 1280,
  g: 1518,
  h: 2112,
  i: 9000,
  j: 16000,
};

/** The mixes that testbeds use; `imix` is the first. Three of them disagree, so reports print the genome. */
export const NAMED_MIXES: readonly Mix[] = [
  {
    name: 'imix',
    description: 'CSIT IMIX for IPv4: 28 of 64, 16 of 570, 4 of 1518 bytes with FCS',
    sizes: spread([64, 28], [570, 16], [1518, 4]),
  },
  {
    name: 'imix-ipv6',
    description: 'CSIT IMIX for IPv6: 28 of 78, 16 of 570, 4 of 1518 bytes with FCS',
    sizes: spread([78, 28], [570, 16], [1518, 4]),
  },
  {
    name: 'imix-csit-trex',
    description: "CSIT's TRex profile class: 28 of 60, 20 of 590, 4 of 1514 bytes without FCS",
    sizes: spread([64, 28], [594, 20], [1518, 4]),
  },
  {
    name: 'imix-trex',
    description: 'TRex stl/imix.py: 28 of 60, 16 of 590, 4 of 1514 bytes without FCS',
    sizes: spread([64, 28], [594, 16], [1518, 4]),
  },
  {
    name: 'imix-vsperf',
    description: 'VSPERF: genome aaaaaaaddddg, 7 of 64, 4 of 512, 1 of 1518 bytes with FCS',
    sizes: parseGenome('aaaaaaaddddg'),
  },
];

/**
 * Reads an RFC 6985 genome: `IMIX - aaafg`, or the letters alone. Upper-case letters are custom sizes, stated
 * behind it (`aaAg, A=570`), and so is the size of `z`. Throws a RangeError that names what is wrong.
 */
export function parseGenome(text: string): number[] {
  const [letters, ...definitions] = text
    .replace(/^\s*IMIX\s*-\s*/i, '')
    .split(',')
    .map((part) => part.trim());
  const custom: Record<string, number> = {};
  for (const definition of definitions) {
    const match = /^([A-Zz])\s*=\s*(\d+)$/.exec(definition);
    if (!match) throw new RangeError(`"${definition}" is not a custom size of a genome, like A=570`);
    custom[match[1]] = Number(match[2]);
  }
  if (letters === '') throw new RangeError(`genome "${text}" has no sizes`);
  return [...letters].map((letter) => {
    const size = custom[letter] ?? GENOME[letter];
    if (size !== undefined) return size;
    if (/[A-Zz]/.test(letter))
      throw new RangeError(`genome "${text}" uses ${letter} but does not say ${letter}=SIZE`);
    throw new RangeError(`genome "${text}" has "${letter}", which RFC 6985 does not define`);
  });
}

/** Writes a sequence of sizes (1 to 26 that RFC 6985 has no letter for) as a genome. */
export function formatGenome(sizes: readonly number[]): string {
  const letters = new Map(Object.entries(GENOME).map(([letter, size]) => [size, letter]));
  const definitions: string[] = [];
  let text = '';
  for (const size of sizes) {
    if (!letters.has(size)) {
      const letter = String.fromCharCode(65 + definitions.length);
      if (definitions.length === 26) throw new RangeError('a genome has at most 26 custom sizes');
      letters.set(size, letter);
      definitions.push(`${letter}=${size}`);
    }
    text += letters.get(size);
  }
  return [`IMIX - ${text}`, ...definitions].join(', ');
}

/** Spreads sizes of given weights evenly over one period. */
function spread(...shares: [size: number, weight: number][]): number[] {
  const total = shares.reduce((sum, [, weight]) => sum + weight, 0);
  const credit = shares.map(() => 0);
  const sizes: number[] = [];
  for (let i = 0; i < total; i++) {
    shares.forEach(([, weight], at) => {
      credit[at] += weight;
    });
    const chosen = credit.indexOf(Math.max(...credit));
    credit[chosen] -= total;
    sizes.push(shares[chosen][0]);
  }
  return sizes;
}
