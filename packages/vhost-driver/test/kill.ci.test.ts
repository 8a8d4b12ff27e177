import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { startFrontend } from '../src/index.ts';

const BIN = fileURLToPath(new URL('../../cli/bin/vhostlab.mjs', import.meta.url));
/** Kills of each side: 100 in a long run. */
const KILLS = Number(process.env.VHOSTLAB_KILLS ?? 5);
/** Frames that must pass between two kills. */
const FRAMES = 2000;

const folder = mkdtempSync(join(tmpdir(), 'vhost-kill-'));
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true }));

const patient = { timeout: 60_000, interval: 20 };

function run(...args: string[]): ChildProcess & { said: string } {
  const child = Object.assign(
    spawn(process.execPath, [BIN, 'vhost-user', ...args], { stdio: ['ignore', 'ignore', 'pipe'] }),
    { said: '' },
  );
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    child.said += text;
  });
  running.push(child);
  return child;
}

/** All flows, or all kills, together. */
function sum(counts: Iterable<number> | undefined): number {
  let total = 0;
  for (const count of counts ?? [Number.NaN]) total += count;
  return total;
}

function gone(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

describe(`kill -9 of either side, ${KILLS} times`, () => {
  it('of the back end: the guest goes on with the next one, and nothing is corrupted', async () => {
    const socketPath = join(folder, 'guest.sock');
    const backend = (): ChildProcess =>
      run(
        'backend',
        '--no-supervise',
        '--client',
        '--socket-path',
        socketPath,
        '--port',
        'echo',
        '--mode',
        'interrupt',
      );
    let victim = backend();
    const replays: number[] = [];
    const guest = await startFrontend({
      socketPath,
      server: true,
      wait: 'interrupt',
      workload: {
        kind: 'verify',
        traffic: { kind: 'udp', packets: 1e9, size: '64', rate: '20kpps', lineBps: 1e10, seed: 1 },
      },
      onEvent: (event) => {
        if (event.kind === 'restarting') replays.push(sum(event.rings.map(({ replayed }) => replayed)));
      },
    });
    const received = (): number => guest.figures().rx.packets;
    for (let kill = 1; kill <= KILLS; kill++) {
      const before = received();
      await vi.waitFor(() => expect(received()).toBeGreaterThan(before + FRAMES), patient);
      const end = gone(victim);
      victim.kill('SIGKILL');
      await end;
      victim = backend();
      await vi.waitFor(() => expect(guest.figures().connections).toBe(kill + 1), patient);
    }
    const before = received();
    await vi.waitFor(() => expect(received()).toBeGreaterThan(before + FRAMES), patient);
    const { reports } = await guest.stop();
    const tally = reports[0]?.tally;
    expect(replays).toHaveLength(KILLS);
    expect(sum(tally?.corrupted)).toBe(0);
    // a buffer that the dead back end had sent back, but not given back, is sent back once more by the next one
    expect(sum(tally?.duplicated)).toBeLessThanOrEqual(sum(replays));
  });

  it('of the front end: the back end takes the next one, whose frames all come back', async () => {
    const socketPath = join(folder, 'device.sock');
    const backend = run(
      'backend',
      '--no-supervise',
      '--socket-path',
      socketPath,
      '--port',
      'echo',
      '--mode',
      'interrupt',
    );
    await vi.waitFor(() => expect(backend.said).toContain('listens at'), patient);
    const guest = (...more: string[]): ChildProcess & { said: string } =>
      run(
        'frontend',
        '--socket-path',
        socketPath,
        '--workload',
        'verify',
        '--rate',
        '20kpps',
        '--wait',
        'interrupt',
        ...more,
      );
    for (let kill = 1; kill <= KILLS; kill++) {
      const victim = guest('--packets', '1000000');
      await vi.waitFor(() => expect(victim.said).toMatch(/rx [0-9.]*[1-9]/), patient);
      const end = gone(victim);
      victim.kill('SIGKILL');
      await end;
      await vi.waitFor(() => expect(backend.said.split('front end gone').length - 1).toBe(kill), patient);
    }
    const last = guest('--packets', '20000');
    await gone(last);
    expect(last.exitCode).toBe(0);
    expect(backend.exitCode).toBeNull();
  });
});
