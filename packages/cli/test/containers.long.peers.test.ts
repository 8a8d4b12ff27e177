import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabState } from '@vhostlab/lab';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run, Scratch } from './command.ts';
import { leftOf, program, startDocker } from './docker-rig.ts';

let stopDocker: () => Promise<void>;
let scratch: Scratch;
beforeAll(async () => {
  stopDocker = await startDocker();
}, 300_000);
afterAll(() => stopDocker());
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => scratch.remove());

function labFile(packets: number, more = ''): string {
  const file = scratch.file('box.lab.yaml');
  writeFileSync(
    file,
    `schema: 1\nname: box\nsystem: {workloads: [pvp], traffic: {packets: ${packets}}}\nroles: {backends: [vhost-user]}\nplacement: container\n${more}`,
  );
  return file;
}

async function embedded(file: string): Promise<{ hash: string; delivered: number }> {
  const { stdout } = await run(scratch, 'compare', '--lab', file, '--placement', 'embedded', '--json');
  const comparison = JSON.parse(stdout);
  return { hash: comparison.event_log_sha256, delivered: comparison.results[0].frames.delivered };
}

async function inspect(): Promise<LabState> {
  return JSON.parse((await run(scratch, 'lab', 'inspect', 'box', '-f', 'json')).stdout) as LabState;
}

function networkOf(container: string): string {
  const names = program('docker', [
    'inspect',
    '-f',
    '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}',
    container,
  ]);
  return names.split(' ').find((name) => name.endsWith('_links')) ?? '';
}

describe('placement container', () => {
  it('gives the log of an embedded run, in containers that may do nothing else', async () => {
    const file = labFile(100);
    const { hash, delivered } = await embedded(file);
    const up = await run(scratch, 'lab', 'up', file, '--wait');
    expect([up.status, up.stderr]).toEqual([0, '']);
    const state = await inspect();
    expect(state.event_log_sha256).toBe(hash);
    expect(state.runs[0].delivered).toBe(delivered);
    expect(new Set(state.nodes.map(({ container }) => container)).size).toBe(4);
    for (const { name, container } of state.nodes) {
      const inside = await run(
        scratch,
        'lab',
        'exec',
        'box',
        name,
        '--',
        'grep',
        '-E',
        'CapEff|^Uid',
        '/proc/1/status',
      );
      expect(inside.stdout).toMatch(/Uid:\t65532[\s\S]*CapEff:\t0{16}/u);
      const touched = await run(scratch, 'lab', 'exec', 'box', name, '--', 'touch', '/vhostlab/x');
      expect([touched.status, touched.stderr]).toEqual([1, expect.stringContaining('Read-only file system')]);
      const health = program('docker', ['inspect', '-f', '{{.State.Health.Status}}', container as string]);
      expect(['healthy', 'starting']).toContain(health);
    }
    const nic = state.nodes.find(({ kind }) => kind === 'nic')?.container as string;
    program('docker', ['kill', nic]);
    await expect
      .poll(async () => (await inspect()).phase, { timeout: 120_000, interval: 500 })
      .toBe('failed');
    expect((await inspect()).error).toMatch(/^service nic \(.*\) (has not answered|was lost)/);
    await expect.poll(() => leftOf('vhostlab-box'), { timeout: 60_000, interval: 500 }).toBe('');
  });

  it.each<[string, (container: string) => string[], RegExp]>([
    [
      'stopped',
      (container) => ['pause', container],
      /^service nic \(container .*\) has not answered for \d+ s/,
    ],
    [
      'taken off the network',
      (container) => ['network', 'disconnect', networkOf(container), container],
      /^service nic \(container .*\) has not answered for \d+ s/,
    ],
  ])('ends with the name of a service that is %s in the middle of a run', async (_, fault, says) => {
    const up = await run(scratch, 'lab', 'up', labFile(100_000, 'time: {stallTimeout: 5s}\n'));
    expect([up.status, up.stderr]).toEqual([0, '']);
    const container = (await inspect()).nodes.find(({ kind }) => kind === 'nic')?.container as string;
    program('docker', fault(container));
    await expect.poll(async () => (await inspect()).phase, { timeout: 60_000, interval: 500 }).toBe('failed');
    expect((await inspect()).error).toMatch(says);
    await expect.poll(() => leftOf('vhostlab-box'), { timeout: 60_000, interval: 500 }).toBe('');
  });

  it('leaves no container behind when the process of the lab is killed, nor when what cleans up is killed, too', async () => {
    const file = labFile(100_000);
    for (const isReaperKilled of [false, true]) {
      expect((await run(scratch, 'lab', 'up', file)).status).toBe(0);
      const { supervisor } = await inspect();
      if (isReaperKilled) {
        const reapers = program('pgrep', ['-P', String(supervisor), '-f', 'vhostlab-reaper']).split('\n');
        for (const pid of reapers) process.kill(-Number(pid), 'SIGKILL');
      }
      process.kill(supervisor, 'SIGKILL');
      if (isReaperKilled) {
        expect(leftOf('vhostlab-box')).not.toBe('');
        expect((await run(scratch, 'lab', 'down', 'box')).stdout).toBe(
          'lab box is down already; removed the 4 containers that it left\n',
        );
        expect(leftOf('vhostlab-box')).toBe('');
      } else await expect.poll(() => leftOf('vhostlab-box'), { timeout: 60_000, interval: 500 }).toBe('');
    }
  });

  it('is exported as a compose file with the lab in a container of its own', async () => {
    const file = labFile(100);
    const { hash } = await embedded(file);
    const exported = await run(scratch, 'lab', 'export', 'compose', file, '--out', 'out');
    expect([exported.status, exported.stderr]).toEqual([0, '']);
    const folder = scratch.file('out');
    const compose = (...args: string[]): string =>
      program('docker-compose', ['--ansi', 'never', '-p', 'vhostlabtest', ...args], { cwd: folder });
    expect(compose('config', '-q')).toBe('');
    compose('up', '-d');
    try {
      const stateFile = join(folder, 'labs/box/state.json');
      const state = (): LabState | undefined =>
        existsSync(stateFile) ? (JSON.parse(readFileSync(stateFile, 'utf8')) as LabState) : undefined;
      await expect.poll(() => state()?.phase, { timeout: 120_000, interval: 500 }).toBe('complete');
      expect(state()?.event_log_sha256).toBe(hash);
      compose('stop', '-t', '10');
      expect(state()?.phase).toBe('ended');
      const codes = compose('ps', '-q')
        .split('\n')
        .map((id) => program('docker', ['inspect', '-f', '{{.State.ExitCode}}', id]));
      expect(codes).toEqual(['0', '0', '0', '0', '0']);
    } finally {
      compose('down', '-v', '-t', '1');
    }
    expect(leftOf('vhostlabtest')).toBe('');
  });
});
