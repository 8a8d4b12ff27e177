import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backend, DEFAULT_BACKEND_OPTIONS, startBackend } from '@vhostlab/vhost-device';
import { startFrontend } from '@vhostlab/vhost-driver';
import { DEFAULT_TAP_OPTIONS, type ReplaySummary, startTap } from '@vhostlab/vhost-tap';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { replayReport } from '../src/replay-report.ts';
import { fakeIo } from './fake-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'vhostlab-cli-'));
const [listen, one, four, out] = ['tap', 'one', 'four', 'run'].map((name) => join(folder, name));
const backends: Backend[] = [];

async function serve(path: string, queuePairs: number): Promise<void> {
  const options = {
    ...DEFAULT_BACKEND_OPTIONS,
    sockets: [path],
    port: { kind: 'echo' },
    queuePairs,
  } as const;
  const log = { line: () => undefined, messages: false };
  backends.push(await startBackend({ ...options, mode: 'interrupt' }, log));
}

/** Fifty frames of our own guest, and back. */
beforeAll(async () => {
  await serve(one, 1);
  await serve(four, 4);
  mkdirSync(out);
  const tap = startTap({ ...DEFAULT_TAP_OPTIONS, listen, connect: one, out, notifications: true });
  const traffic = { kind: 'udp', seed: 1, packets: 50, lineBps: 1e10, size: '64' } as const;
  const frontend = await startFrontend({
    socketPath: listen,
    memoryBytes: 2 ** 23,
    wait: 'interrupt',
    workload: { kind: 'verify', traffic },
  });
  await frontend.ended;
  await frontend.stop();
  await tap.stop();
});

afterAll(async () => {
  for (const backend of backends) await backend.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function played(...args: readonly string[]): Promise<{ status: number; out: string; err: string }> {
  const io = fakeIo();
  const status = await main(['vhost-user', 'replay', ...args], io);
  return { status, out: io.stdout(), err: io.stderr() };
}

describe('vhostlab vhost-user replay', () => {
  it('plays a recording, and says that nothing is wrong', async () => {
    const { status, out: text } = await played(out, '--socket-path', one, '--repeat', '2');
    expect(text).toMatch(
      /^2 runs, \d+\.\d s, 1 connection each, \d+ messages, 4 rings started, \d+ buffers offered, /,
    );
    expect(text).toMatch(/No rule was broken\.\nNo answer differs from the recorded one\.\n$/);
    expect(status).toBe(0);
  });

  it('ends with status 1 when the back end answers differently', async () => {
    const { status, out: text, err } = await played(out, '--socket-path', four, '--speed', 'fast', '--json');
    expect(status).toBe(1);
    expect(err).toContain('the back end broke rules or answered differently in 1 of 1 runs');
    const summary = JSON.parse(text) as ReplaySummary;
    expect(summary.violations).toEqual([]);
    expect(summary.differences).toContainEqual({
      about: 'GET_QUEUE_NUM',
      text: 'the back end answered 0x4, recorded 0x1',
      runs: 1,
    });
  });

  it.each([
    [[folder, '--socket-path', one], /messages\.jsonl.*name the folder that a tap has written/],
    [[out, '--socket-path', join(folder, 'none')], /ENOENT; name the socket at which a back end listens/],
    [[out, '--socket-path', one, '--repeat', '0'], /--repeat 0 is not 1 or more/],
    [[out, '--socket-path', one, '--speed', 'slow'], /Allowed choices are recorded, fast/],
    [[out], /--socket-path/],
  ])('%s is refused in a sentence', async (args, message) => {
    const { status, err } = await played(...args);
    expect(status).toBe(2);
    expect(err).toMatch(message);
  });

  it('names a violation with its clause and its runs', () => {
    const violation = {
      code: 'used-length',
      party: 'device',
      queue: 1,
      clause: 'virtio 1.3, 2.7.8.2 and 2.8.4',
      first: 'used entry 3, id 3, has len 1000, the buffer has room for 0',
      count: 60,
      runs: 20,
    };
    const counts = { messages: 560, rings: 40, offered: 800, skipped: 2, used: 160, kicks: 80, calls: 90 };
    const text = replayReport({
      runs: 20,
      faultyRuns: 20,
      seconds: 1.25,
      sessions: 1,
      violations: [violation],
      differences: [{ about: 'GET_FEATURES', text: 'the back end answered 0x1, recorded 0x3', runs: 1 }],
      played: counts,
      notes: ['something is left out'],
    });
    expect(text).toBe(
      [
        '20 runs, 1.3 s, 1 connection each, 560 messages, 40 rings started, 800 buffers offered, 160 used, 2 not offered, 80 kicks, 90 calls',
        'Note: something is left out.',
        '',
        'device vq1 used-length (20 of 20 runs, 60 times): used entry 3, id 3, has len 1000, the buffer has room for 0 [virtio 1.3, 2.7.8.2 and 2.8.4]',
        'GET_FEATURES (1 of 20 runs): the back end answered 0x1, recorded 0x3',
        '',
      ].join('\n'),
    );
  });
});
