import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogError, readLog } from '../src/index.ts';
import { merged, partOf } from './support.ts';

const LOG = merged({
  name: 'tx/vdpa',
  parts: [
    partOf([
      { core: 'a', task: 't', startPs: 1, endPs: 3, entries: [{ timePs: 2, stage: 'wire.tx', packet: 0 }] },
      { core: 'a', task: 't', startPs: 4, endPs: 5, entries: [{ timePs: 4, stage: 'setup', text: 'note' }] },
    ]),
  ],
});

/** Strings of LOG: a, note, setup, t, tx/vdpa, wire.tx; the table is bytes 32 to 68, the section entry follows. */
const RECORDS = 96;

function changed(at: number, ...bytes: number[]): Uint8Array {
  const copy = LOG.slice();
  copy.set(bytes, at);
  return copy;
}

function readAll(bytes: Uint8Array): void {
  for (const section of readLog(bytes).sections)
    for (const record of section.read()) expect(record).toBeDefined();
}

describe('a log that cannot be read', () => {
  it.each([
    ['an empty file', new Uint8Array(0), 'byte 0 differs from VHLABLOG'],
    ['another format', changed(3, 0x40), 'byte 3 differs from VHLABLOG'],
    ['only a magic', LOG.subarray(0, 20), 'cut at byte 20'],
    ['another version', changed(8, 9), 'event log version 9 at byte 8'],
    ['a cut header', LOG.subarray(0, 40), 'cut at byte 40, inside its header of 85 bytes'],
    [
      'a cut section',
      LOG.subarray(0, LOG.length - 1),
      `cut at byte ${LOG.length - 1}, inside section tx/vdpa`,
    ],
    [
      'more strings than bytes',
      changed(12, 200),
      'string 6 at byte 69 lies outside its table, which ends at 69',
    ],
    ['fewer strings than bytes', changed(12, 5), 'unknown bytes in the string table at byte 60'],
    ['a string beyond its table', changed(32, 0xff, 0xff), 'string 0 at byte 32 lies outside its table'],
    ['a string that is no UTF-8', changed(34, 0xff), 'string 0 at byte 32 is not UTF-8'],
    ['strings out of order', changed(34, 0x7a), 'string 1 at byte 35 is not in order'],
    ['a section without name', changed(69, 99), 'no string 99, named at byte 69'],
    ['a wrong total', changed(24, 77), 'announces 77 records at byte 24, its sections 4'],
    ['bytes after the end', Buffer.concat([LOG, new Uint8Array(5)]), `after its end at byte ${LOG.length}`],
    ['an unknown kind', changed(RECORDS + 32 + 28, 7), `unknown record kind at byte ${RECORDS + 32 + 28}`],
    ['a record without a run', changed(RECORDS + 24, 0), `stands outside of a run at byte ${RECORDS + 32}`],
    ['a run inside a run', changed(RECORDS + 24, 2), `begins inside another at byte ${RECORDS + 64}`],
    ['a run beyond the section', changed(RECORDS + 64 + 24, 9), `run at byte ${RECORDS + 64} reaches beyond`],
    ['an unknown stage', changed(RECORDS + 32 + 12, 50), `no string 50, named at byte ${RECORDS + 32 + 12}`],
    ['an unknown core', changed(RECORDS + 14, 51), `no string 51, named at byte ${RECORDS + 14}`],
    ['an unknown text', changed(RECORDS + 96 + 30, 52), `no string 52, named at byte ${RECORDS + 96 + 30}`],
    ['a time above 2^53', changed(RECORDS + 7, 0xff), `value at byte ${RECORDS} is above 2^53`],
  ])('%s names the byte', (_what, bytes, message) => {
    expect(() => readAll(bytes)).toThrow(LogError);
    expect(() => readAll(bytes)).toThrow(message);
  });

  it('never ends in anything but a LogError, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(LOG.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (edits) => {
          const copy = LOG.slice();
          for (const [at, value] of edits) copy[at] = value;
          try {
            readAll(copy);
          } catch (error) {
            expect(error).toBeInstanceOf(LogError);
            expect((error as Error).message).toMatch(/byte \d+|header announces/);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('is readable when whole', () => {
    expect([...readLog(LOG).sections[0].read()].map(({ kind, stage, text }) => [kind, stage, text])).toEqual([
      ['run', 't', ''],
      ['event', 'wire.tx', ''],
      ['run', 't', ''],
      ['note', 'setup', 'note'],
    ]);
  });
});
