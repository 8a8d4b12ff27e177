import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { keepPlugin, pluginArguments } from '../src/plugin-words.ts';
import { Scratch } from './command.ts';
import { fakeIo } from './fake-io.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples/plugins');

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => scratch.remove());

async function compare(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const io = fakeIo();
  const status = await main(['compare', '--workload', 'pvp', '--packets', '80', ...args], io);
  return { status, stdout: io.stdout(), stderr: io.stderr() };
}

it('a plugin is a row of its own, and the lab file of the run repeats it', async () => {
  const impair = join(EXAMPLES, 'impair');
  const out = scratch.file('first');
  const { status, stdout } = await compare(
    '--backends',
    'vdpa',
    '--plugin',
    `${impair},lossPercent=20,delayNs=500`,
    '--json',
    '--out',
    out,
  );
  expect(status).toBe(0);
  const { results, event_log_sha256 } = JSON.parse(stdout);
  expect(results.map(({ backend }: { backend: string }) => backend)).toEqual(['vdpa', 'impair']);
  expect(results[1].plugin).toMatchObject({ name: 'impair', options: { lossPercent: 20, delayNs: 500 } });
  expect(results[1].frames.offered).toBe(80);
  expect(results[1].drops['plugin-lost']).toBeGreaterThan(0);

  const again = await compare('--lab', join(out, 'lab.yaml'), '--json', '--out', scratch.file('second'));
  expect(JSON.parse(again.stdout).event_log_sha256).toBe(event_log_sha256);
  expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('impair');
});

it('a faulty plugin is refused in one sentence, before anything runs', async () => {
  const folder = scratch.file('broken');
  cpSync(join(EXAMPLES, 'impair'), folder, { recursive: true });
  writeFileSync(join(folder, 'index.ts'), 'export default 1;\n');
  for (const [plugin, says] of [
    [
      `${join(EXAMPLES, 'impair')},speed=1`,
      /^vhostlab: plugin\.options\.speed: Option "speed" is unknown\.\n$/,
    ],
    [
      './nowhere',
      /^vhostlab: --plugin: .*nowhere does not exist; name the folder or the tarball of a plugin\n$/,
    ],
    [folder, /^vhostlab: plugin impair is refused: it ended with status 1 before it listened/],
    [',lossPercent=1', /^vhostlab: --plugin: ",lossPercent=1" does not say where the plugin is\n$/],
  ] as const) {
    const { status, stderr } = await compare('--plugin', plugin, '--out', scratch.file('none'));
    expect([status, stderr]).toEqual([2, expect.stringMatching(says)]);
  }
});

it('a word is a place and options, and a comma may be in the place', () => {
  expect(keepPlugin('a,b,c=1,d=two', [])).toEqual([{ plugin: 'a,b', options: { c: 1, d: 'two' } }]);
  expect(keepPlugin('x', [{ plugin: 'y', options: {} }])).toHaveLength(2);
  expect(pluginArguments([])).toEqual([]);
  expect(pluginArguments(['/a', '/b'])).toEqual(['--with-built-in', '--plugin', '/a', '--plugin', '/b']);
});
