import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backend, DEFAULT_BACKEND_OPTIONS, startBackend } from '@vhostlab/vhost-device';
import { type Frontend, startFrontend } from '@vhostlab/vhost-driver';
import { DEFAULT_TAP_OPTIONS, readRecord, startTap, type Tap, VERDICT_KINDS } from '@vhostlab/vhost-tap';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { main } from '../src/main.ts';
import { fakeIo } from './fake-io.ts';

const pending = z.int().nonnegative().nullable();
const word = z.int().min(-1).max(65_535);
const moment = z.strictObject({
  avail: word,
  used: word,
  driverFlags: word,
  driverEvent: word,
  deviceFlags: word,
  deviceEvent: word,
  isHidden: z.boolean(),
  isFresh: z.boolean(),
  kickPending: pending,
  callPending: pending,
});
const tampered = z.strictObject({ rule: z.string(), avail: word, used: word }).nullable();
const reportShape = z.strictObject({
  pid: z.int().positive(),
  intervalMs: z.int().positive(),
  processes: z.array(z.strictObject({ pid: z.int().positive(), name: z.string().min(1) })),
  queues: z.array(
    z.strictObject({
      device: z.string(),
      queue: z.int().nonnegative(),
      direction: z.enum(['rx', 'tx']),
      format: z.enum(['split', 'packed']),
      size: z.int().positive(),
      hasEvents: z.boolean(),
      isEnabled: z.boolean().nullable(),
      waiting: z.int().nonnegative(),
      first: moment,
      second: moment,
      tamperedKick: tampered,
      tamperedCall: tampered,
      verdict: z.strictObject({
        kind: z.enum(VERDICT_KINDS),
        culprit: z.enum(['driver', 'back end', 'tap', 'driver side', 'back-end side']).nullable(),
        text: z.string(),
      }),
    }),
  ),
  sick: z.int().nonnegative(),
});

const folder = mkdtempSync(join(tmpdir(), 'vhostlab-cli-'));
const [listen, connect] = ['tap.sock', 'backend.sock'].map((name) => join(folder, name));
let backend: Backend;
let tap: Tap;
let frontend: Frontend;

beforeAll(async () => {
  const device = { ...DEFAULT_BACKEND_OPTIONS, sockets: [connect], port: { kind: 'drop' } } as const;
  backend = await startBackend({ ...device, mode: 'interrupt' }, { line: () => undefined, messages: false });
  tap = startTap({ ...DEFAULT_TAP_OPTIONS, listen, connect, out: folder, notifications: true });
  frontend = await startFrontend({ socketPath: listen, memoryBytes: 2 ** 24, workload: { kind: 'rx' } });
  await recorded(1);
});

afterAll(async () => {
  await frontend.stop();
  await tap.stop();
  await backend.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Waits until the tap's files say that both rings of a front end run. */
async function recorded(session: number): Promise<void> {
  await vi.waitFor(() => {
    const { lines } = readRecord(folder, new Set(['message']));
    const enabled = lines.filter(
      (line) => line.session === session && 'name' in line && line.name === 'SET_VRING_ENABLE',
    );
    expect(enabled.length).toBeGreaterThanOrEqual(2);
  }, 20_000);
}

async function attach(...args: string[]) {
  const io = fakeIo();
  const pid = args.includes('--pid') ? [] : ['--pid', String(process.pid)];
  const status = await main(['vhost-user', 'attach', ...pid, '--interval', '20', ...args], io);
  return { status, out: io.stdout(), err: io.stderr() };
}

describe('vhostlab vhost-user attach', () => {
  it('prints a table of healthy queues, and ends with status 0', async () => {
    const { status, out, err } = await attach('--record', folder);
    expect(err).toBe('');
    expect(status).toBe(0);
    expect(out).toMatch(
      /^queue +ring +avail +used +waiting +driver +device +kicks +calls +verdict +culprit$/m,
    );
    expect(out).toMatch(/^vq0 rx +split 256 +256 +0 +256 .* healthy +-$/m);
    expect(out).toMatch(/^healthy: vq0 avail 256 used 0: the back end has 256 buffers to fill$/m);
    expect(out).toMatch(/^healthy: vq1 avail 0 used 0: everything that was offered is used$/m);
  });

  it('--json prints one object of a known shape', async () => {
    const report = reportShape.parse(JSON.parse((await attach('--record', folder, '--json')).out));
    expect(report).toMatchObject({ pid: process.pid, intervalMs: 20, sick: 0 });
    expect(report.queues.map(({ queue, direction }) => [queue, direction])).toEqual([
      [0, 'rx'],
      [1, 'tx'],
    ]);
  });

  it.each([
    [['--record', folder, '--interval', '0'], '--interval 0 is not between 1 and 60000 ms.'],
    [['--pid', '4194304', '--record', folder], '--pid 4194304: it does not have the memory of the rings'],
    [['--record', '/none'], 'name the folder that a tap has written'],
    [['--qmp', '/none.sock'], 'connect /none.sock: ENOENT; name a QMP socket of QEMU'],
    [[], 'name one.'],
    [['--pid', 'me'], 'a whole number is needed'],
  ])('%s is refused in a sentence, status 2', async (args, message) => {
    const { status, err } = await attach(...args);
    expect(status).toBe(2);
    expect(err).toContain(message);
  });

  it('names queue and indices of what is not healthy, and ends with status 1', async () => {
    await frontend.stop();
    frontend = await startFrontend({ socketPath: listen, memoryBytes: 2 ** 24, workload: { kind: 'raw' } });
    frontend.rawRing(1).availableIndex(1000);
    await recorded(2);
    const { status, out, err } = await attach('--record', folder);
    expect(status).toBe(1);
    expect(err).toBe('vhostlab: not healthy: 1 queue of 2\n');
    expect(out).toMatch(/^vq1 tx +split 256 +1000 +0 +1000 .* broken ring +-$/m);
    const text = 'vq1 avail 1000 used 0: more is available than the 256 descriptors can hold';
    expect(out).toContain(`broken ring: ${text}\n`);
    const report = reportShape.parse(JSON.parse((await attach('--record', folder, '--json')).out));
    expect(report).toMatchObject({ sick: 1, queues: [{}, { verdict: { kind: 'broken ring', text } }] });
  });
});
