import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dropLock, lockOwner, takeLock, thisProcess } from '../src/operate/lab-lock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const DEAD = JSON.stringify({ pid: process.pid, started: '1' });

describe('the lock of a lab', () => {
  it.each([
    ['is free', []],
    ['was left by a dead process', [['lock', DEAD]]],
    [
      'was left by a dead process, and its heir died as well',
      [
        ['lock', DEAD],
        [`.lock-after-${process.pid}-1`, JSON.stringify({ pid: process.pid, started: '2' })],
      ],
    ],
    ['is no lock', [['lock', '']]],
    [
      'is no lock, nor is its heir',
      [
        ['lock', ''],
        ['.lock-after-unknown', ''],
      ],
    ],
  ] as [string, [string, string][]][])('that %s can be taken, once', (_, files) => {
    for (const [name, text] of files) writeFileSync(join(folder, name), text);
    expect(lockOwner(folder)).toBeUndefined();
    expect(takeLock(folder, thisProcess())).toBeUndefined();
    expect(takeLock(folder, thisProcess())).toEqual(thisProcess());
    expect(readdirSync(folder)).toEqual(['lock']);
    dropLock(folder);
    expect(lockOwner(folder)).toBeUndefined();
  });

  it('goes to one of many who try at the same moment, whoever had it before', async () => {
    const racers = 3;
    const folders = Array.from({ length: 60 }, (_, round) => {
      const path = join(folder, String(round));
      mkdirSync(path);
      if (round % 3 > 0) writeFileSync(join(path, 'lock'), DEAD);
      if (round % 3 > 1) {
        writeFileSync(
          join(path, `.lock-after-${process.pid}-1`),
          JSON.stringify({ pid: process.pid, started: '2' }),
        );
      }
      return path;
    });
    const gate = new Int32Array(new SharedArrayBuffer(folders.length * 4));
    const answers = await Promise.all(
      Array.from(
        { length: racers },
        () =>
          new Promise<unknown[]>((resolve, reject) => {
            const racer = new Worker(new URL('support/lock-racer.ts', import.meta.url), {
              workerData: { folders, gate, racers },
            });
            racer.on('message', resolve).on('error', reject);
          }),
      ),
    );
    const winners = folders.map((_, round) => answers.filter((each) => each[round] === null).length);
    expect(winners).toEqual(folders.map(() => 1));
    for (const path of folders) expect(readdirSync(path)).toEqual(['lock']);
  });
});
