import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pack } from './pack.ts';

const guide = readFileSync(join(import.meta.dirname, '../../docs/plugins.md'), 'utf8');
/** Lines of plain blocks that begin with `$ `, and all lines of `sh` blocks, in the order of the guide. */
const commands = [...guide.matchAll(/^```(\w*)\n(.*?)^```$/gms)].flatMap(([, language, block]) =>
  (block as string)
    .split('\n')
    .filter((line) => (language === 'sh' ? line !== '' : language === '' && line.startsWith('$ ')))
    .map((line) => line.replace(/^\$ /, '')),
);

describe('the guide for authors of plugins, outside the repository', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vhostlab-guide-'));
  const tarballs = join(folder, 'tarballs');
  const work = mkdtempSync(join(tmpdir(), 'vhostlab-author-'));

  beforeAll(() => {
    expect(pack(tarballs).map((path) => existsSync(path))).toEqual([true, true]);
  }, 300_000);

  afterAll(() => {
    for (const path of [folder, work]) rmSync(path, { recursive: true, force: true });
  });

  function run(command: string): { status: number | null; output: string } {
    // nothing of the workspace is on the path but its Node
    const system = (process.env.PATH ?? '').split(':').filter((path) => !path.includes('node_modules'));
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
      cwd: work,
      encoding: 'utf8',
      env: {
        PATH: [dirname(process.execPath), ...system].join(':'),
        HOME: process.env.HOME ?? '/',
        TARBALLS: tarballs,
        npm_config_prefer_offline: 'true',
        npm_config_audit: 'false',
        npm_config_fund: 'false',
      },
    });
    return { status, output: `${command}\n${stdout}${stderr}` };
  }

  it('has commands, the three kinds of plugins among them', () => {
    expect(commands.length).toBeGreaterThanOrEqual(13);
    expect(commands.filter((line) => line.includes('plugin new'))).toHaveLength(3);
  });

  it.each(commands)('%s', (command) => {
    const { status, output } = run(command);
    expect(status, output).toBe(0);
    if (command.includes('plugin conform'))
      expect(output).toMatch(/required passed\n.*not claimed\nno failure/s);
    if (command.includes('plugin try') && !command.includes('--json'))
      expect(output).toMatch(/[1-9]\d* of \d+ frames/);
    if (command.includes('plugin list')) expect(output).toContain(join(work, 'my-device'));
  });

  it.each(['my-switch', 'my-device', 'my-python'])('%s carries traffic in a lab', (plugin) => {
    const [, lab] = /^```yaml\n(.*?)^```$/ms.exec(guide) as unknown as [string, string];
    const socket = join(work, 'host.sock');
    writeFileSync(join(work, 'mine.lab.yaml'), lab.replace('/tmp/mine.sock', socket));
    const vhostlab = 'node_modules/.bin/vhostlab';
    const { status, output } = run(
      `${vhostlab} serve backend --listen unix:${socket} --plugin ${plugin} & service=$!
      while [ ! -S ${socket} ] && kill -0 $service; do sleep 0.1; done
      ${vhostlab} lab up mine.lab.yaml --wait --foreground; status=$?
      kill $service; wait $service; exit $status`,
    );
    expect(status, output).toBe(0);
    expect(output).toMatch(/pvp\/vhost-user +complete +500 +500 +0/);
  });

  it('leaves a report that names every check', () => {
    expect(readFileSync(join(work, 'report.xml'), 'utf8')).toContain('failures="0" errors="0"');
  });

  it('gives authors types', () => {
    const tsc = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
    const flags = '--noEmit --strict --module nodenext --target es2024 --skipLibCheck';
    const { status, output } = run(`node ${tsc} ${flags} my-switch/src/index.ts my-device/src/index.ts`);
    expect(status, output).toBe(0);
  });
});
