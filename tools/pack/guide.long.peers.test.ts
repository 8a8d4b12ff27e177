import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cleanup, finalStatistics, PeerProcess, virtioUser } from '../peers/index.ts';
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
    const [, lab] = /^```yaml\n(.*?)^```$/ms.exec(guide) as unknown as [string, string];
    writeFileSync(join(work, 'mine.lab.yaml'), lab);
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
    expect(commands.length).toBeGreaterThanOrEqual(19);
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
    if (command.includes(' compare ')) {
      for (const row of ['vhost-user', 'my-switch', 'my-device']) {
        expect(output).toMatch(new RegExp(`^${row} +\\d`, 'm'));
      }
    }
    if (command.includes('lab up')) {
      expect(output.match(/^pvp\/\S+ +complete +500 +500 +0/gm)).toHaveLength(4);
    }
    if (command.includes('plugin replay')) expect(output).toMatch(/[1-9]\d* answers: 0 differ/);
  });

  const vhostlab = 'node_modules/.bin/vhostlab';

  /** A lab of one run with one back end. */
  function labFile(name: string, backend: string, placement: string): string {
    const text = `schema: 1\nname: ${name}\nsystem: {workloads: [pvp], traffic: {packets: 500}}\nroles: {backends: [${backend}]}\nplacement: ${placement}\n`;
    writeFileSync(join(work, `${name}.lab.yaml`), text);
    return `${name}.lab.yaml`;
  }

  it.each(['my-switch', 'my-device', 'my-python'])(
    '%s carries traffic in a lab, and ends with it',
    (plugin) => {
      const hashes = ['embedded', 'process'].map((placement) => {
        const file = labFile(`${plugin}-${placement}`, `{plugin: ./${plugin}}`, placement);
        const { status, output } = run(`${vhostlab} lab up ${file} --wait && ${vhostlab} lab down ${file}`);
        expect(status, output).toBe(0);
        expect(output).toMatch(new RegExp(`pvp/${plugin} +complete +500 +500 +0`));
        return /event log ([0-9a-f]{64})/.exec(output)?.[1];
      });
      expect(hashes[0]).toBe(hashes[1]);
      expect(spawnSync('pgrep', ['-f', join(work, plugin)], { encoding: 'utf8' }).stdout).toBe('');
    },
  );

  it.each([
    ['my-device', 'npm pack ./my-device'],
    ['my-python', 'tar czf my-python-0.1.0.tgz my-python'],
  ])('the tarball of %s carries traffic in a lab', (plugin, make) => {
    const file = labFile(`${plugin}-tarball`, `{plugin: ${plugin}-0.1.0.tgz}`, 'process');
    const { status, output } = run(
      `${make} && ${vhostlab} lab up ${file} --wait; status=$?; ${vhostlab} lab down ${file}; exit $status`,
    );
    expect(status, output).toBe(0);
    expect(output).toMatch(new RegExp(`pvp/${plugin} +complete +500 +500 +0`));
  });

  it('a plugin at an endpoint carries traffic in a lab', () => {
    const socket = join(work, 'host.sock');
    const file = labFile('there', 'vhost-user', `{nodes: {backend0: {endpoint: "unix:${socket}"}}}`);
    const { status, output } = run(
      `${vhostlab} serve backend --listen unix:${socket} --plugin my-switch & service=$!
      while [ ! -S ${socket} ] && kill -0 $service; do sleep 0.1; done
      ${vhostlab} lab up ${file} --wait --foreground; status=$?
      kill $service; wait $service; exit $status`,
    );
    expect(status, output).toBe(0);
    expect(output).toMatch(/pvp\/vhost-user +complete +500 +500 +0/);
  });

  it('DPDK’s virtio-user sends through the device plugin', async () => {
    const cleanup = new Cleanup();
    try {
      const socketPath = cleanup.path('s');
      const flags = [
        '--socket-path',
        socketPath,
        '--plugin',
        join(work, 'my-device'),
        '--mode',
        'poll',
        '--json',
      ];
      const backend = await cleanup.add(
        PeerProcess.start({
          name: 'packed back end',
          program: process.execPath,
          args: [
            join(work, 'node_modules/@vhostlab/cli/bin/vhostlab.mjs'),
            'vhost-user',
            'backend',
            ...flags,
          ],
        }),
      );
      await backend.waitForSocket(socketPath);
      const front = await cleanup.add(virtioUser({ socketPath, mode: 'txonly', size: 300 }));
      await front.process.waitUntil(async () => {
        const counters = await front.xstats();
        return (counters.tx_q0_good_packets as number) >= 1000;
      }, '1000 frames have been sent');
      await front.halt();
      await front.stop();
      backend.signal('SIGTERM');
      await backend.exit;
      const sent = finalStatistics(backend).find(({ queue }) => queue === 1);
      expect(sent).toMatchObject({ violations: 0 });
      expect(sent?.frames).toBeGreaterThanOrEqual(1000);
    } finally {
      await cleanup.stop();
    }
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
