import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backend, DEFAULT_BACKEND_OPTIONS, startBackend } from '@vhostlab/vhost-device';
import { startFrontend } from '@vhostlab/vhost-driver';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../src/main.ts';
import { type FakeIo, fakeIo } from './fake-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'vhostlab-cli-'));
const [listen, connect, out] = ['tap.sock', 'backend.sock', 'run'].map((name) => join(folder, name));
let backend: Backend;

beforeAll(async () => {
  const options = { ...DEFAULT_BACKEND_OPTIONS, sockets: [connect], port: { kind: 'echo' } } as const;
  backend = await startBackend({ ...options, mode: 'interrupt' }, { line: () => undefined, messages: false });
});

afterAll(async () => {
  await backend.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the tap, then what the front end does, then ends it. */
async function tapped(
  args: readonly string[],
  play: () => Promise<void>,
): Promise<{ io: FakeIo; status: number }> {
  const controller = new AbortController();
  const io = fakeIo({ signal: controller.signal });
  const command = ['vhost-user', 'tap', '--listen', listen, '--connect', connect, '--out', out, ...args];
  const running = main(command, io);
  await vi.waitFor(() => expect(existsSync(listen)).toBe(true), 20_000);
  await play();
  controller.abort();
  return { io, status: await running };
}

const guest = { socketPath: listen, memoryBytes: 2 ** 24, wait: 'interrupt' } as const;

async function sendFrames(): Promise<void> {
  const traffic = { kind: 'udp', seed: 1, packets: 50, lineBps: 1e10, size: '64' } as const;
  const frontend = await startFrontend({ ...guest, workload: { kind: 'verify', traffic } });
  await frontend.ended;
  await frontend.stop();
}

/** Offers a descriptor that the queue does not have. */
async function offerNonsense(): Promise<void> {
  const frontend = await startFrontend({ ...guest, workload: { kind: 'raw' } });
  const ring = frontend.rawRing(1);
  ring.available(0, 60_000);
  ring.availableIndex(1);
  await vi.waitFor(() => expect(readFileSync(join(out, 'live.log'), 'utf8')).toContain('VIOLATION'), 20_000);
  await frontend.stop();
}

describe('vhostlab vhost-user tap', () => {
  it('prints a table, and writes its files', async () => {
    const { io, status } = await tapped(['--notifications', '--live'], sendFrames);
    expect(status).toBe(0);
    expect(io.stderr()).toContain(
      `vhostlab tap listens at ${listen}, connects to ${connect}, writes ${out}\n`,
    );
    expect(io.stderr()).toMatch(/^\d+\.\d{3} KICK vq1 avail=\d+ used=\d+/m);
    expect(io.stdout()).toMatch(/^\d+\.\d s, 1 connection, \d+ messages, \d+ kicks, \d+ calls, /);
    expect(io.stdout()).toMatch(/^vq1 +(>= )?50 +\d+ +(>= )?50 /m);
    expect(io.stdout()).toContain('No rule was broken.');
    for (const name of ['live.log', 'messages.jsonl', 'memory.bin', 'events.bin', 'frames.pcapng']) {
      expect(readFileSync(join(out, name)).length).toBeGreaterThan(0);
    }
  });

  it('ends with status 1 when a rule was broken, and names it', async () => {
    const { io, status } = await tapped([], offerNonsense);
    expect(status).toBe(1);
    expect(io.stderr()).toContain('rules were broken 1 time');
    const line =
      'driver vq1 avail-head-range (once): avail entry 0 is 60000 in a queue of 256 [virtio 1.3, 2.7.6]';
    expect(io.stdout()).toContain(line);
  });

  it.each([
    [['--inject', 'lose kick'], '--inject: inject rule "lose kick": "lose" is no action'],
    [['--sample-hz', '2000'], '--sample-hz 2000 is not between 0 and 1000.'],
    [['--connect', listen], `--listen and --connect are both ${listen}`],
    [['--out', '/proc/none/here'], '--out: ENOENT'],
    [['--listen', '/proc/none.sock'], 'bind /proc/none.sock: '],
  ])('%s is refused in a sentence', async (args, message) => {
    const io = fakeIo();
    const defaults = ['--listen', listen, '--connect', connect, '--out', out];
    expect(await main(['vhost-user', 'tap', ...defaults, ...args], io)).toBe(2);
    expect(io.stderr()).toContain(message);
  });
});
