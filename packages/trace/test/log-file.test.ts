import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LogRecord, readLog } from '../src/index.ts';
import { merged, partOf, type Run } from './support.ts';

const DOCUMENT = new URL('../../../docs/event-log.md', import.meta.url);

const CORES = ['guest0.vcpu0', 'guest0.vmm', 'host.pmd0', 'nic0', 'station'];

const entry = fc.record(
  {
    timePs: fc.maxSafeNat(),
    stage: fc.constantFrom('guest.vring_add', 'vhost.fetch', 'vhost.copy', 'wire.tx'),
    packet: fc.nat(1e9),
    address: fc.maxSafeNat(),
    length: fc.nat(65_536),
    text: fc.string({ maxLength: 12, unit: 'grapheme' }),
  },
  { requiredKeys: ['timePs', 'stage'] },
);

/** Runs in the order in which one runtime executes them: by start, ties by core; a core's runs follow each other. */
const runs = fc
  .array(
    fc.record({
      core: fc.constantFrom(...CORES),
      task: fc.constantFrom('tx', 'rx', 'poll'),
      startPs: fc.nat(50),
      endPs: fc.constant(60),
      entries: fc.array(entry, { maxLength: 3 }),
    }),
    { maxLength: 40 },
  )
  .map((list): Run[] =>
    list
      .filter(
        (run, i) => list.findIndex((other) => other.core === run.core && other.startPs === run.startPs) === i,
      )
      .sort((x, y) => x.startPs - y.startPs || (x.core < y.core ? -1 : 1)),
  );

describe('event log', () => {
  it('has the same bytes however its cores are spread over processes', () => {
    fc.assert(
      fc.property(
        runs,
        fc.array(fc.nat(3), { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 1, max: 5 }),
        (list, owner, perChunk) => {
          const whole = merged({ name: 'pvp/vhost-user', parts: [partOf(list, perChunk)] });
          const parts = [0, 1, 2, 3].map((process) =>
            partOf(list.filter((run) => owner[CORES.indexOf(run.core)] === process)),
          );
          expect(Buffer.compare(merged({ name: 'pvp/vhost-user', parts }), whole)).toBe(0);
          expect(Buffer.compare(merged({ name: 'pvp/vhost-user', parts: parts.reverse() }), whole)).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('puts the creation of cores, all at moment 0, in the same order wherever they are', () => {
    const at = (core: string, task: string): Run => ({ core, task, startPs: 0, endPs: 0, entries: [] });
    const [createdA, createdB, ranA, ranB] = [at('a', 'core'), at('b', 'core'), at('a', 't'), at('b', 't')];
    const later: Run = { core: 'a', task: 't', startPs: 7, endPs: 8, entries: [] };
    const together = merged({ name: 's', parts: [partOf([createdA, createdB, ranA, ranB, later])] });
    const apart = merged({ name: 's', parts: [partOf([createdB, ranB]), partOf([createdA, ranA, later])] });
    expect(Buffer.compare(together, apart)).toBe(0);
    expect([...readLog(together).sections[0].read()].map(({ core, stage }) => core + stage)).toEqual([
      'acore',
      'at',
      'bcore',
      'bt',
      'at',
    ]);
  });

  it('gives back every record of every section', () => {
    fc.assert(
      fc.property(fc.array(runs, { minLength: 1, maxLength: 3 }), (sections) => {
        const log = readLog(merged(...sections.map((list, i) => ({ name: `s${i}`, parts: [partOf(list)] }))));
        expect(log.sections.map(({ name }) => name)).toEqual(sections.map((_, i) => `s${i}`));
        log.sections.forEach((section, i) => {
          expect([...section.read()]).toEqual(sections[i].flatMap(expectedRecords));
        });
      }),
      { numRuns: 100 },
    );
  });

  it('keeps sections apart although they share one string table', () => {
    const run: Run = { core: 'nic0', task: 'rx', startPs: 1, endPs: 2, entries: [] };
    const log = readLog(
      merged({ name: 'a', parts: [partOf([run])] }, { name: 'b', parts: [partOf([run]), partOf([])] }),
    );
    expect(log.strings).toEqual(['a', 'b', 'nic0', 'rx']);
    expect(log.sections.map(({ records }) => records)).toEqual([1, 1]);
  });

  it('has the bytes that docs/event-log.md explains', () => {
    const bytes = merged({
      name: 'tx/vhost-user',
      parts: [
        partOf([
          {
            core: 'guest0.vcpu0',
            task: 'tx',
            startPs: 20_000_000_000,
            endPs: 20_000_131_000,
            entries: [
              { timePs: 20_000_131_000, stage: 'guest.vring_add', packet: 0, address: 0x21000, length: 76 },
            ],
          },
        ]),
        partOf([
          {
            core: 'host.pmd0',
            task: 'vhost',
            startPs: 19_999_000_000,
            endPs: 19_999_020_000,
            entries: [{ timePs: 19_999_010_000, stage: 'setup', address: 0, length: 1, text: 'ready' }],
          },
        ]),
      ],
    });
    expect(readFileSync(DOCUMENT, 'utf8')).toContain(hexdump(bytes));
  });

  it('refuses what it cannot number', () => {
    const many = partOf([]);
    const strings = Array.from({ length: 65_537 }, (_, i) => `s${i}`);
    expect(() => merged({ name: 'x', parts: [{ ...many, strings }] })).toThrow(
      'more than 65536 different strings',
    );
    expect(() => merged({ name: 'y'.repeat(65_536), parts: [] })).toThrow('more than 65535 bytes');
  });
});

function expectedRecords(run: Run): LogRecord[] {
  const head: LogRecord = {
    kind: 'run',
    timePs: run.startPs,
    packet: -1,
    stage: run.task,
    core: run.core,
    address: run.endPs - run.startPs,
    length: run.entries.length,
    text: '',
  };
  return [
    head,
    ...run.entries.map(
      (item): LogRecord => ({
        kind: item.text === undefined ? 'event' : 'note',
        timePs: item.timePs,
        packet: item.packet ?? -1,
        stage: item.stage,
        core: run.core,
        address: item.address ?? 0,
        length: item.length ?? 0,
        text: item.text ?? '',
      }),
    ),
  ];
}

/** As `hexdump -C` prints it. */
function hexdump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0'));
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    const columns = `${hex.slice(0, 8).join(' ')}  ${hex.slice(8).join(' ')}`;
    lines.push(`${at.toString(16).padStart(8, '0')}  ${columns}  |${text}|`);
  }
  return lines.join('\n');
}
