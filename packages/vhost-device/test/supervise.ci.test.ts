import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { TinyGuest } from './support/tiny-guest.ts';

const BIN = fileURLToPath(new URL('../../cli/bin/vhostlab.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vhost-supervise-'));
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Program {
  child: ChildProcess;
  said(): string;
  exit: Promise<number | null>;
}

function run(...args: string[]): Program {
  let text = '';
  const child = spawn(process.execPath, [BIN, 'vhost-user', 'backend', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const exit = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  cleanups.push(async () => {
    child.kill('SIGTERM');
    await exit;
  });
  return { child, said: () => text, exit };
}

const patient = { timeout: 30_000, interval: 20 };

function listens(program: Program, times = 1): Promise<void> {
  return vi.waitFor(() => expect(program.said().split(' listens at ').length - 1).toBe(times), patient);
}

async function guestAt(path: string): Promise<TinyGuest> {
  const guest = new TinyGuest();
  cleanups.push(() => guest.close());
  await guest.start(path);
  return guest;
}

async function echoes(guest: TinyGuest, fill: number): Promise<void> {
  guest.send(60, fill);
  await vi.waitFor(() => expect(guest.received()).toEqual([{ bytes: 60, first: fill }]), patient);
}

describe('vhostlab vhost-user backend', () => {
  it.each(['poll', 'adaptive'])('gives a guest its frames back with --mode %s', async (mode) => {
    const path = join(folder, `${mode}.sock`);
    const program = run('--socket-path', path, '--port', 'echo', '--mode', mode);
    await listens(program);
    const guest = await guestAt(path);
    for (let fill = 1; fill <= 20; fill++) await echoes(guest, fill);
  });

  it('survives a guest that truncates its memory: one process dies, comes back, and the other goes on', async () => {
    const [victim, other] = [join(folder, 'victim.sock'), join(folder, 'other.sock')];
    const programs = [victim, other].map((path) =>
      run('--socket-path', path, '--port', 'echo', '--mode', 'poll'),
    );
    for (const program of programs) await listens(program);
    const bad = await guestAt(victim);
    const good = await guestAt(other);
    await echoes(bad, 1);
    await echoes(good, 2);
    bad.truncate();
    await vi.waitFor(
      () => expect(programs[0]?.said()).toMatch(/died of SIGBUS .*: starting it again/),
      patient,
    );
    await echoes(good, 3);
    await listens(programs[0] as Program, 2);
    await echoes(await guestAt(victim), 4);
    await echoes(good, 5);
    expect(programs[1]?.said()).not.toContain('died');
  });

  it('ends with status 0 at SIGTERM, its socket file removed, and prints the last statistics', async () => {
    const path = join(folder, 'ends.sock');
    const program = run('--socket-path', path, '--port', 'echo', '--mode', 'interrupt', '--json');
    let printed = '';
    program.child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      printed += part;
    });
    await listens(program);
    await echoes(await guestAt(path), 1);
    program.child.kill('SIGTERM');
    expect(await program.exit).toBe(0);
    const { queues } = JSON.parse(printed) as { queues: { frames: number }[] };
    expect(queues.map(({ frames }) => frames)).toEqual([1, 1]);
    await expect(guestAt(path)).rejects.toThrow('ENOENT');
  });
});
