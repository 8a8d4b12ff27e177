import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RecordError, readRecord } from '../src/index.ts';

const HEAD = '{"kind":"record","version":1,"listen":"a","connect":"b"}';
const NOTE = '{"kind":"note","session":1,"t":5,"text":"x"}';
const KICK = '{"kind":"kick","session":1,"t":6,"queue":1,"count":1}';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhost-tap-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const write = (text: string) => writeFileSync(join(folder, 'messages.jsonl'), text);

describe('the record of a tap, read', () => {
  it('gives the lines in order, and passes over one that is not whole yet', () => {
    write(`${HEAD}\n${NOTE}\n${KICK}\n{"kind":"no`);
    const { head, lines } = readRecord(folder);
    expect(head.listen).toBe('a');
    expect(lines.map(({ kind }) => kind)).toEqual(['note', 'kick']);
  });

  it('gives the lines of some kinds', () => {
    write(`${HEAD}\n${NOTE}\n${KICK}\n`);
    expect(readRecord(folder, new Set(['kick'])).lines).toEqual([JSON.parse(KICK)]);
  });

  it('gives the memory that a line points at, and no more than there is', () => {
    write(`${HEAD}\n`);
    writeFileSync(join(folder, 'memory.bin'), Uint8Array.of(1, 2, 3, 4));
    const { memory } = readRecord(folder);
    expect([...memory({ gpa: '0x0', at: 1, bytes: 2 })]).toEqual([2, 3]);
    expect(() => memory({ gpa: '0x0', at: 3, bytes: 2 })).toThrow('has 4 bytes, and a line points at byte 5');
    expect(() => memory({ gpa: '0x0', at: -1, bytes: 2 })).toThrow('has 4 bytes');
  });

  it.each([
    ['', 'does not begin like the record of a tap'],
    [`${NOTE}\n`, 'does not begin like the record of a tap'],
    ['{"kind":"record","version":2}\n', 'version 1'],
    [`${HEAD}\nfree text\n`, "line 2 is not a line of a tap's record"],
    [`${HEAD}\n5\n`, "line 2 is not a line of a tap's record"],
  ])('refuses %j in a sentence, status 2', (text, message) => {
    write(text);
    expect(() => readRecord(folder)).toThrow(message);
    expect(() => readRecord(folder)).toThrow(
      expect.objectContaining({ exitCode: 2 } satisfies Partial<RecordError>),
    );
  });

  it('refuses a folder without a record', () => {
    expect(() => readRecord(join(folder, 'none'))).toThrow('name the folder that a tap has written');
  });
});
