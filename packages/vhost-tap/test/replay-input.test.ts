import { cpSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { openDescriptors, Reactor, UnixListener, type UnixSocket } from '@vhostlab/host';
import { Connection, HostSocket } from '@vhostlab/vhost-user';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RecordError } from '../src/index.ts';
import type { RecordLine } from '../src/record/record-lines.ts';
import { Recordings } from './kit/recording.ts';

const recordings = new Recordings();
const reactor = new Reactor();
let run: string;
beforeAll(async () => {
  run = await recordings.record('split', {});
});
afterAll(async () => {
  await reactor.stop();
  recordings.remove();
});

/** A copy of the recording, with its lines changed. */
function changed(change: (lines: string[]) => readonly string[]): string {
  const folder = recordings.newFolder();
  cpSync(run, folder, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  const lines = readFileSync(`${folder}/messages.jsonl`, 'utf8').trimEnd().split('\n');
  writeFileSync(`${folder}/messages.jsonl`, `${change(lines).join('\n')}\n`);
  return folder;
}

/** As a tap writes it down when it looks too late. */
function withoutEveryFifth(lines: readonly string[], queue: number): string[] {
  let count = 0;
  let missed = 0;
  return lines.flatMap((text) => {
    const line = JSON.parse(text) as RecordLine;
    if (line.kind !== 'offer' || line.queue !== queue) return [text];
    if (++count % 5 === 4) {
      missed++;
      return [];
    }
    const changedLine = JSON.stringify({ ...line, missed });
    missed = 0;
    return [changedLine];
  });
}

describe('records that are none', () => {
  it.each([
    [
      'a line of something else',
      (lines: string[]) => [...lines.slice(0, 9), '{"no": 1}'],
      /line 10 is not a line of/,
    ],
    ['no JSON', (lines: string[]) => [lines[0]!, 'text'], /line 2 is not a line of/],
    [
      'another version',
      (lines: string[]) => [lines[0]!.replace('"version":1', '"version":9')],
      /version 1\./,
    ],
    ['nothing', () => [], /line 1 is not a line of/],
    [
      'a head alone',
      (lines: string[]) => [lines[0]!],
      /has no message of a front end; there is nothing to play/,
    ],
    [
      'a size that is no number',
      (lines: string[]) => lines.map((line) => line.replace('"size":32', '"size":"x"')),
      /a line of kind ring-start has a wrong "size"; replay a record of this version/,
    ],
    [
      'bytes that are no hexadecimal',
      (lines: string[]) => lines.map((line) => line.replace('"bytes":"', '"bytes":"z')),
      /a line of kind message has a wrong "bytes"/,
    ],
  ])('%s', async (_name, change, message) => {
    const playing = recordings.play(changed(change), {});
    await expect(playing).rejects.toThrow(message);
    await expect(playing).rejects.toBeInstanceOf(RecordError);
  });

  it('memory.bin is cut off', async () => {
    const folder = changed((lines) => lines);
    truncateSync(`${folder}/memory.bin`, 1000);
    await expect(recordings.play(folder, {})).rejects.toThrow(
      /memory\.bin has 1000 bytes, and a line points at/,
    );
  });

  it('events.bin is of another version', async () => {
    const folder = changed((lines) => lines);
    const events = readFileSync(`${folder}/events.bin`);
    events[8] = 9;
    writeFileSync(`${folder}/events.bin`, events);
    await expect(recordings.play(folder, {})).rejects.toThrow(
      /events\.bin is not of version 1 of a tap's events/,
    );
  });

  it('there is no folder, or no back end', async () => {
    await expect(recordings.play('/nowhere', {})).rejects.toThrow(/ENOENT.*name the folder/);
    await expect(recordings.play(run, null)).rejects.toThrow(/connect .*: ENOENT; name the socket/);
  });
});

describe('records with a part of it', () => {
  it('ends in the middle of a line, while the rings run', async () => {
    const folder = changed((lines) =>
      lines.slice(0, lines.findIndex((line) => line.includes('"kick"')) + 12),
    );
    const text = readFileSync(`${folder}/messages.jsonl`, 'utf8');
    writeFileSync(`${folder}/messages.jsonl`, text.slice(0, -20));
    const { faultyRuns, played } = await recordings.play(folder, {});
    expect(faultyRuns).toBe(0);
    expect(played.used).toBeGreaterThan(0);
  });

  it('never started a ring', async () => {
    const folder = changed((lines) =>
      lines.slice(
        0,
        lines.findIndex((line) => line.includes('SET_VRING_KICK')),
      ),
    );
    const { faultyRuns, played, notes } = await recordings.play(folder, {});
    expect(faultyRuns).toBe(0);
    expect(played).toMatchObject({ rings: 0, offered: 0 });
    expect(played.messages).toBeGreaterThan(5);
    expect(notes).toEqual(['no ring was started in the record: its messages are played, and nothing else']);
  });

  it.each([
    // receive buffers that came back stand in for those that the tap has missed
    [0, { used: 120, skipped: 0 }, []],
    [
      1,
      { used: 96 },
      [
        '12 transmit buffers (or descriptors of them) went by unseen when it was recorded, and are not played',
      ],
    ],
  ])('misses every fifth buffer of ring %i', async (queue, expected, notes) => {
    const folder = changed((lines) => withoutEveryFifth(lines, queue));
    const summary = await recordings.play(folder, {}, { receiveTimeoutMs: 100 });
    expect(summary).toMatchObject({ faultyRuns: 0, violations: [], differences: [] });
    expect(summary.played).toMatchObject(expected);
    expect(summary.notes).toEqual(expect.arrayContaining(notes));
  });

  it('has rings and buffers at impossible places', async () => {
    const lost = changed((lines) => lines.map((line) => line.replace(/"desc":"0x/, '"desc":"0xfffff')));
    const { notes } = await recordings.play(lost, {});
    expect(notes).toContain('ring 0 is not in guest memory; it is not played');
    const odd = changed((lines) => lines.map((line) => line.replace(/"slot":\d+/, '"slot":60000')));
    const { played } = await recordings.play(odd, {});
    expect(played).toMatchObject({ offered: 0 });
    expect(played.skipped).toBeGreaterThan(60);
  });
});

/** Takes one connection and does with it what `handle` does. */
function strangePeer(handle: (socket: UnixSocket) => () => void): { path: string; close: () => void } {
  const path = recordings.path('strange');
  const listener = UnixListener.listen(path);
  const ends: (() => void)[] = [];
  const unwatch = reactor.watch(listener.fd, () => {
    const socket = listener.accept();
    if (socket !== undefined) ends.push(handle(socket));
  });
  const close = () => {
    unwatch();
    listener.close();
    for (const end of ends) end();
  };
  return { path, close };
}

describe('other back ends', () => {
  it('answers differently: named, with both answers', async () => {
    const { faultyRuns, violations, differences } = await recordings.play(run, { queuePairs: 4 });
    expect({ faultyRuns, violations }).toEqual({ faultyRuns: 1, violations: [] });
    expect(differences).toEqual([
      { about: 'GET_QUEUE_NUM', text: 'the back end answered 0x4, recorded 0x1', runs: 1 },
    ]);
  });

  it('never answers: the replay ends', async () => {
    const before = openDescriptors();
    const peer = strangePeer((socket) => () => socket.fd.close());
    const options = { socketPath: peer.path, timeoutMs: 50 };
    const { faultyRuns, differences, played } = await recordings.play(run, null, options);
    peer.close();
    expect({ faultyRuns, messages: played.messages }).toEqual({ faultyRuns: 1, messages: 1 });
    expect(differences).toMatchObject([{ about: 'GET_FEATURES' }]);
    expect(differences[0]!.text).toMatch(
      /^the back end did not answer within 50 ms, recorded 0x[0-9a-f]+ .*VERSION_1/,
    );
    expect(openDescriptors()).toBe(before);
  });

  it('closes in the middle, and breaks the protocol', async () => {
    const peer = strangePeer((socket) => {
      const connection: Connection = new Connection(new HostSocket(socket, reactor), {
        frame: ({ bytes }) => {
          // the answer to something else, with a feature that nobody has, and then none at all
          const answer = Uint8Array.from([
            ...bytes.subarray(0, 4),
            5,
            0,
            0,
            0,
            8,
            0,
            0,
            0,
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
          ]);
          answer[0] = 99;
          connection.send(answer);
          connection.close({ why: 'local', text: 'it is a strange peer' });
        },
        closed: () => {},
      });
      return () => connection.close({ why: 'local', text: 'the test ends' });
    });
    const { faultyRuns, violations, differences } = await recordings.play(run, null, {
      socketPath: peer.path,
    });
    peer.close();
    expect(faultyRuns).toBe(1);
    expect(violations).toMatchObject([
      { code: 'reply-unasked', party: 'back end', clause: 'vhost-user, Header' },
    ]);
    expect(differences).toMatchObject([{ about: 'GET_FEATURES' }]);
    expect(differences[0]!.text).toContain('the back end closed the connection');
  });

  it('does nothing with its rings: each one is waited for, and no longer than it may be', async () => {
    const { faultyRuns, differences } = await recordings.play(run, { isAsleep: true }, { timeoutMs: 700 });
    expect(faultyRuns).toBe(1);
    expect(differences.map(({ about }) => about)).toEqual(['ring 1']);
    expect(differences[0]!.text).toMatch(
      /^the back end has not used its buffers within 700 ms: \d+ are outstanding, \d+ more wait for them$/,
    );
  });
});
