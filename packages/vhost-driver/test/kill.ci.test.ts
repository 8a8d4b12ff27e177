import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { startFrontend } from '../src/index.ts';
import { ReconnectTimes } from './reconnect-times.ts';

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

/** A program, what it has said, and when it said that its socket is there. */
type Program = ChildProcess & { said: string; readyMs: number };

function run(...args: string[]): Program {
  const child = Object.assign(
    spawn(process.execPath, [BIN, 'vhost-user', ...args], { stdio: ['ignore', 'ignore', 'pipe'] }),
    { said: '', readyMs: Number.NaN },
  );
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    child.said += text;
    if (Number.isNaN(child.readyMs) && /(listens at|connects to)/.test(child.said)) {
      child.readyMs = performance.now();
    }
  });
  running.push(child);
  return child;
}

function backend(socketPath: string, ...more: string[]): Program {
  const how = ['--no-supervise', '--port', 'echo', '--mode', 'interrupt'];
  return run('backend', ...how, '--socket-path', socketPath, ...more);
}

function guest(socketPath: string, ...more: string[]): Program {
  const how = ['--workload', 'verify', '--rate', '20kpps', '--wait', 'interrupt'];
  return run('frontend', ...how, '--socket-path', socketPath, ...more);
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

function killed(child: ChildProcess): Promise<void> {
  const end = gone(child);
  child.kill('SIGKILL');
  return end;
}

describe(`kill -9 of either side, ${KILLS} times`, () => {
  it.each([
    { listener: 'the guest', ring: 'split', inflight: false },
    { listener: 'the back end', ring: 'packed', inflight: false },
    { listener: 'the back end', ring: 'split', inflight: true },
    { listener: 'the guest', ring: 'packed', inflight: true },
  ] as const)(
    'of the back end, $ring rings, $listener listens, inflight $inflight: the guest goes on with the next one, and nothing is corrupted',
    async ({ listener, ring, inflight }) => {
      const socketPath = join(folder, `guest-${ring}-${inflight}.sock`);
      const server = listener === 'the guest';
      const next = (): Program => backend(socketPath, ...(server ? ['--client'] : []));
      const times = new ReconnectTimes();
      const replays: number[] = [];
      let victim = next();
      let startedMs = 0;
      const front = await startFrontend({
        socketPath,
        ring,
        server,
        reconnect: true,
        inflight,
        wait: 'interrupt',
        workload: {
          kind: 'verify',
          traffic: { kind: 'udp', packets: 1e9, size: '64', rate: '20kpps', lineBps: 1e10, seed: 1 },
        },
        onEvent: (event) => {
          if (event.kind === 'started') startedMs = performance.now();
          if (event.kind === 'restarting') replays.push(sum(event.rings.map(({ replayed }) => replayed)));
        },
      });
      const received = (): number => front.figures().rx.packets;
      for (let kill = 1; kill <= KILLS; kill++) {
        const before = received();
        await vi.waitFor(() => expect(received()).toBeGreaterThan(before + FRAMES), patient);
        await killed(victim);
        victim = next();
        await vi.waitFor(() => expect(front.figures().connections).toBe(kill + 1), patient);
        await vi.waitFor(() => expect(victim.readyMs).toBeGreaterThan(0), patient);
        times.add(victim.readyMs, startedMs);
      }
      const before = received();
      await vi.waitFor(() => expect(received()).toBeGreaterThan(before + FRAMES), patient);
      const { reports } = await front.stop();
      const tally = reports[0]?.tally;
      expect(replays).toHaveLength(KILLS);
      expect(sum(tally?.corrupted)).toBe(0);
      // a buffer that the dead back end had sent back, but not given back, is sent back once more by the next one
      expect(sum(tally?.duplicated)).toBeLessThanOrEqual(sum(replays));
      times.print(`back end killed, ${ring}, ${listener} listens, inflight ${inflight}`, {
        'offered again': sum(replays),
        duplicated: sum(tally?.duplicated),
      });
    },
  );

  it.each(['the back end', 'the guest'])(
    'of the front end, %s listens: the back end takes the next one, whose frames all come back',
    async (listener) => {
      const isServer = listener === 'the guest';
      const socketPath = join(folder, `device-${isServer ? 'client' : 'server'}.sock`);
      const back = backend(socketPath, ...(isServer ? ['--client'] : []));
      await vi.waitFor(() => expect(back.readyMs).toBeGreaterThan(0), patient);
      const times = new ReconnectTimes();
      const next = (packets: number): Program =>
        guest(socketPath, '--packets', String(packets), ...(isServer ? ['--server'] : []));
      for (let kill = 1; kill <= KILLS; kill++) {
        const victim = next(1_000_000);
        await vi.waitFor(() => expect(victim.said).toContain('rings run with'), patient);
        if (isServer) times.add(victim.readyMs, performance.now());
        await vi.waitFor(() => expect(victim.said).toMatch(/rx [0-9.]*[1-9]/), patient);
        await killed(victim);
        // or once more: a client may still reach the socket of a process that is ending
        await vi.waitFor(
          () => expect(back.said.split('front end gone').length - 1).toBeGreaterThanOrEqual(kill),
          patient,
        );
      }
      const last = next(20_000);
      await gone(last);
      expect(last.exitCode).toBe(0);
      expect(back.exitCode).toBeNull();
      if (isServer) times.print('front end killed, the guest listens', {});
      const end = gone(back);
      back.kill('SIGTERM');
      await end;
    },
  );
});
