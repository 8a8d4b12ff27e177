import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BACKENDS, listWorkloads, PCIE_LINKS } from '@vhostlab/workload';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PCAP_PLACE, PLACES } from '../src/lab-file/places.ts';
import { loadLabFile, readLabFile } from '../src/lab-file/read.ts';
import { topologyShape } from '../src/lab-file/topology-schema.ts';
import { builtInCompareLab } from '../src/lab-file/write.ts';
import { compareOptionsSchema, parseCompareOptions, UsageError } from '../src/scenario/options.ts';

const HEAD = 'schema: 1\nname: test\n';

/** The message with which a file is refused. */
function refusal(text: string): string {
  try {
    readLabFile(text, 'x.lab.yaml');
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error(`this was not refused: ${text}`);
}

const subset = <T>(all: readonly T[]) => fc.shuffledSubarray([...all], { minLength: 1 });

const options = fc
  .record(
    {
      workloads: subset(listWorkloads().map(({ name }) => name)),
      backends: subset(BACKENDS),
      packets: fc.integer({ min: 1, max: 1e9 }),
      size: fc.constantFrom('64', '1518', 'imix', 'IMIX - aaaaaaaddddg'),
      rate: fc.constantFrom('line', '50%', '10Mpps', '2.5Gbps', 'unpaced', '1000pps'),
      flows: fc.integer({ min: 0, max: 4_000_000 }),
      queues: fc.integer({ min: 1, max: 16 }),
      ring: fc.constantFrom('split', 'packed'),
      ringSize: fc.integer({ min: 1, max: 15 }).map((bits) => 2 ** bits),
      pages: fc.constantFrom('4K', '2M', '1G'),
      execution: fc.constantFrom('rtc', 'pipeline'),
      guest: fc.constantFrom('interrupt', 'poll'),
      pcie: fc.constantFrom(...PCIE_LINKS),
      rateGbps: fc.double({ min: 1, max: 400, noNaN: true }),
      vhostUserOffloads: fc.boolean(),
      flowTable: fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 4 }),
      seed: fc.nat(),
      profile: fc.string({ unit: 'grapheme' }),
      placement: fc.constantFrom('embedded', 'process'),
      samples: fc.integer({ min: 0, max: 1_000_000 }),
    },
    { requiredKeys: [] },
  )
  .map((input) => parseCompareOptions(input));

describe('built-in lab', () => {
  it('is read back as the options that it was made of', () => {
    const pcap = fc.option(
      fc
        .string({ unit: 'grapheme', minLength: 1 })
        .map((name) => join('/captures', `f${name.replaceAll('/', '')}`)),
      { nil: undefined },
    );
    fc.assert(
      fc.property(
        options,
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
        pcap,
        (given, name, file) => {
          const text = builtInCompareLab(given, { name, ...(file === undefined ? {} : { pcap: file }) });
          const lab = readLabFile(text, '/run/lab.yaml');
          expect(parseCompareOptions(lab.options)).toEqual(given);
          expect(lab.name).toBe(name);
          expect(lab.pcap).toBe(file);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('has a place for every option of the command', () => {
    expect(Object.keys(PLACES).sort()).toEqual(Object.keys(compareOptionsSchema.shape).sort());
    expect(new Set(Object.values(PLACES).map((place) => place.join('.'))).size).toBe(
      Object.keys(PLACES).length,
    );
  });
});

describe('reference page', () => {
  const page = readFileSync(new URL('../../../docs/lab-file.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, key]) => key);

  it('has a row for every key', () => {
    const keys = [...Object.values(PLACES), PCAP_PLACE].map((place) => place.join('.'));
    const others = ['schema', 'name', 'vars', 'time.clock', 'time.stallTimeout'];
    const topology = Object.keys(topologyShape).map((key) => `system.${key}`);
    expect(rows.toSorted()).toEqual([...keys, ...others, ...topology].toSorted());
  });

  it('shows the message that a wrong key gets', () => {
    const text = `# a comment\n${HEAD}system:\n  traffic:\n    siez: 64\n`;
    expect(page).toContain(`vhostlab: my.${refusal(text).slice('x.'.length)}`);
  });
});

describe('lab file', () => {
  it('needs no more than its version and a name', () => {
    const lab = readLabFile(HEAD, 'x.lab.yaml');
    expect(lab.name).toBe('test');
    expect(parseCompareOptions(lab.options)).toEqual(parseCompareOptions({}));
    expect(lab.pcap).toBeUndefined();
  });

  it('takes a plain frame size as the number that YAML makes of it', () => {
    expect(readLabFile(`${HEAD}system: {traffic: {size: 1518}}`, 'x').options.size).toBe('1518');
    expect(readLabFile(`${HEAD}system: {traffic: {size: imix}}`, 'x').options.size).toBe('imix');
  });

  it('starts a relative path of a capture at its own folder', () => {
    const text = `${HEAD}system: {traffic: {pcap: traffic/a.pcap}}`;
    expect(readLabFile(text, '/labs/x.lab.yaml').pcap).toBe('/labs/traffic/a.pcap');
  });

  it.each([
    [
      'an unknown key',
      'system:\n  traffic:\n    siez: 64',
      '5:5: system.traffic.siez: no such key here; there are size',
    ],
    ['an unknown part', 'sistem: {}', '3:1: sistem: no such key here; there are schema, name, vars, system'],
    ['an inherited name', '__proto__: {a: 1}', '3:1: __proto__: no such key here'],
    ['a role in the system', 'system: {backends: [vdpa]}', '3:10: system.backends: no such key here'],
    [
      'an unknown back end',
      'roles:\n  backends:\n    - vdpa\n    - vduse',
      '6:7: roles.backends.1: back end "vduse" is unknown',
    ],
    [
      'a wrong choice',
      'system: {guests: {ring: spilt}}',
      'system.guests.ring: must be split or packed, not "spilt"',
    ],
    ['too many queues', 'system: {guests: {queues: 99}}', 'system.guests.queues: queues must be 1 to 16'],
    [
      '2^31 packets',
      'system: {traffic: {packets: 2147483648}}',
      'system.traffic.packets: 2147483648 packets are too many',
    ],
    ['a runt', 'system: {traffic: {size: 63}}', 'system.traffic.size: must be at least 64, not 63'],
    ['an unknown mix', 'system: {traffic: {size: 12x}}', 'system.traffic.size: size "12x" is not understood'],
    [
      'an unknown rate',
      'system: {traffic: {rate: fast}}',
      'system.traffic.rate: rate "fast" is not understood',
    ],
    ['a number as a rate', 'system: {traffic: {rate: 5}}', 'system.traffic.rate: must be text, not 5'],
    [
      'half a flow',
      'system: {traffic: {flows: 1.5}}',
      'system.traffic.flows: must be a whole number, not 1.5',
    ],
    ['an empty value', 'system: {guests: {pages: }}', 'system.guests.pages: must be 4K, 2M or 1G, not empty'],
    ['an empty part', 'roles:', '3:1: roles: must be a mapping, not empty'],
    ['no number', 'system: {nic: {rateGbps: .nan}}', 'system.nic.rateGbps: must be a number, not NaN'],
    ['an empty list', 'roles: {backends: []}', 'roles.backends: must have at least 1 entry'],
    ['no list', 'roles: {backends: vdpa}', 'roles.backends: must be a list, not "vdpa"'],
    ['an unknown clock', 'time: {clock: wall}', '3:8: time.clock: must be virtual (models) or real'],
    [
      'an unknown placement',
      'placement: cloud',
      'placement: must be embedded, process or container, or name nodes, not "cloud"',
    ],
  ])('refuses %s with its place and the mend', (_, text, message) => {
    const said = refusal(HEAD + text);
    expect(said).toContain(message);
    expect(said).toMatch(/^x\.lab\.yaml:\d+:\d+: /);
  });

  it.each([
    ['an open list', `${HEAD}roles: {backends: [vdpa`, 'x.lab.yaml:3:'],
    ['a tab', `${HEAD}system:\n\ttraffic: {}`, 'x.lab.yaml:4:1: no valid YAML: Tabs are not allowed'],
    ['a key twice', `${HEAD}name: other`, 'x.lab.yaml:3:1: no valid YAML: Map keys must be unique'],
    ['a tag', `${HEAD}time: !clock {seed: 1}`, 'x.lab.yaml:3:7: no valid YAML: Unresolved tag: !clock'],
    [
      'an alias of nothing',
      `${HEAD}roles: *guest`,
      'x.lab.yaml:3:8: no valid YAML: there is no anchor &guest',
    ],
    ['two documents', `${HEAD}---\n${HEAD}`, 'x.lab.yaml:3:1: no valid YAML: a second document begins here'],
    ['nothing', '', 'x.lab.yaml: a lab file is a mapping that begins with schema: 1 and a name'],
    ['a list', '- schema: 1', 'x.lab.yaml: a lab file is a mapping'],
    ['no version', 'name: test', 'x.lab.yaml:1:1: schema: is missing; it must be 1'],
    ['a later version', 'schema: 2\nname: test', 'x.lab.yaml:1:1: schema: must be 1, the version'],
    ['no name', 'schema: 1', 'x.lab.yaml:1:1: name: is missing; it must be text'],
  ])('refuses %s', (_, text, message) => {
    expect(refusal(text)).toContain(message);
  });

  it('refuses aliases that blow up', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) =>
        `&a${i} [${Array(9)
          .fill(i === 0 ? 'x' : `*a${i - 1}`)
          .join(', ')}]`,
    );
    expect(refusal(`${HEAD}system: [${levels.join(', ')}]`)).toContain(
      'no valid YAML: Excessive alias count',
    );
  });

  it('answers any text with a lab or one sentence', () => {
    const line = fc.constantFrom(
      'schema: 1',
      'name: a',
      'system:',
      'roles: {}',
      '  traffic:',
      '    size: 64',
      '- a',
      '  - b',
      'time: {seed: 2}',
      '  workloads: [pvp]',
      '? x',
      ': y',
      '*a',
      '&a b',
      '"',
      '!!set',
      '...',
      '---',
      '%YAML 1.1',
      '#',
      '\t',
      'placement: process',
    );
    const text = fc.oneof(
      fc.array(line, { maxLength: 12 }).map((lines) => lines.join('\n')),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(text, (file) => {
        try {
          readLabFile(file, 'x.lab.yaml');
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          expect((error as Error).message).toMatch(/^x\.lab\.yaml[: ].+[^\n]$/s);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('a file of the disk', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is read, or refused by name', () => {
    const file = join(folder, 'x.lab.yaml');
    writeFileSync(file, `${HEAD}system: {traffic: {pcap: a.pcap}}`);
    expect(loadLabFile(file).pcap).toBe(join(folder, 'a.pcap'));
    writeFileSync(file, Uint8Array.of(0xff, 0xfe, 0x00));
    expect(() => loadLabFile(file)).toThrow(`${file} is no lab file: it is not UTF-8 text`);
    writeFileSync(file, '#'.repeat(1_000_001));
    expect(() => loadLabFile(file)).toThrow(`${file} has 1000001 bytes, a lab file at most 1000000`);
    expect(() => loadLabFile(folder)).toThrow(`cannot read the lab file ${folder}: EISDIR`);
    expect(() => loadLabFile(`${file}.gone`)).toThrow('ENOENT');
  });
});
