import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backend, DEFAULT_BACKEND_OPTIONS, startBackend } from '@vhostlab/vhost-device';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { fakeIo } from './fake-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'vhostlab-conform-'));
const socketPath = join(folder, 'vu.sock');
let backend: Backend;

beforeAll(async () => {
  const options = { ...DEFAULT_BACKEND_OPTIONS, sockets: [socketPath], queuePairs: 2 };
  backend = await startBackend(
    { ...options, mode: 'interrupt', port: { kind: 'echo' } },
    { line: () => undefined, messages: false },
  );
});

afterAll(async () => {
  await backend.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function conform(...args: string[]) {
  const io = fakeIo();
  const status = await main(['vhost-user', 'conform', ...args], io);
  return { io, status };
}

/** A file of expectations. */
function expectations(text: string): string {
  const path = join(folder, 'known.txt');
  writeFileSync(path, text);
  return path;
}

describe('vhostlab vhost-user conform', () => {
  it('lists the checks of either end, each with its clause', async () => {
    const back = await conform('--list', '--json');
    const front = await conform('--list', '--json', '--listen', '/nowhere');
    expect([back.status, front.status]).toEqual([0, 0]);
    for (const [{ io }, role, least] of [
      [back, 'back end', 370],
      [front, 'front end', 65],
    ] as const) {
      const rows = JSON.parse(io.stdout()) as { role: string; clause: string; requirement: string }[];
      expect(rows.length).toBeGreaterThan(least);
      for (const row of rows) {
        expect(row.role).toBe(role);
        expect(row.clause.length).toBeGreaterThan(5);
        expect(row.requirement.length).toBeGreaterThan(5);
      }
    }
    const text = await conform('--list', '--only', 'mem.nregions-*');
    expect(text.io.stdout().trim().split('\n')).toHaveLength(4);
  });

  it('finds no failure of a back end that runs, and writes both reports', async () => {
    const junit = join(folder, 'report.xml');
    const only = 'reply.*,msg.version-*,mem.nregions-9';
    const { io, status } = await conform(
      '--socket-path',
      socketPath,
      '--only',
      only,
      '--json',
      '--junit',
      junit,
    );
    expect(status).toBe(0);
    const report = JSON.parse(io.stdout());
    expect(report).toMatchObject({ failures: 0, notRun: [], peer: { role: 'back end', queuePairs: 2 } });
    expect(report.results.map(({ id }: { id: string }) => id)).toEqual([
      'msg.version-0',
      'msg.version-2',
      'msg.version-3',
      'reply.acknowledges',
      'reply.unasked',
      'mem.nregions-9',
    ]);
    expect(readFileSync(junit, 'utf8')).toContain('tests="6" failures="0" errors="0" skipped="0"');
  });

  it('says so in text', async () => {
    const { io, status } = await conform('--socket-path', socketPath, '--only', 'item:10', '--verbose');
    expect(status).toBe(0);
    expect(io.stdout()).toMatch(/^✓ mem\.nregions-0 /m);
    expect(io.stdout()).toContain('no failure');
  });

  it('fails with status 1 where a known verdict is otherwise', async () => {
    const known = expectations('# was so once\nmem.nregions-9 died|acknowledged bug 12\n');
    const { io, status } = await conform('--socket-path', socketPath, '--only', 'mem.*-9', '--expect', known);
    expect(status).toBe(1);
    expect(io.stdout()).toContain('expected was: peer died or peer acknowledged what it refused (bug 12)');
  });

  it.each([
    ['no peer named', [], 'name the peer'],
    ['both ends', ['--socket-path', 'a', '--listen', 'b'], 'give one of them'],
    ['a check that is not there', ['--socket-path', socketPath, '--only', 'nothing.*'], 'no check is named'],
    ['nobody there', ['--socket-path', join(folder, 'no.sock'), '--timeout', '50'], 'no back end at'],
    ['no file of expectations', ['--socket-path', socketPath, '--expect', '/nowhere/x'], 'cannot be read'],
    ['a bad number', ['--socket-path', socketPath, '--repeat', '0'], 'whole number'],
  ])('ends with status 2 and a sentence: %s', async (_what, args, sentence) => {
    const { io, status } = await conform(...args);
    expect(status).toBe(2);
    expect(io.stderr()).toContain(sentence);
  });

  it('names the line of a file of expectations that it cannot read', async () => {
    const known = expectations('\nmem.nregions-9 broken it is\n');
    const { io, status } = await conform('--socket-path', socketPath, '--expect', known);
    expect(status).toBe(2);
    expect(io.stderr()).toContain('line 2 has no verdict broken');
  });
});
