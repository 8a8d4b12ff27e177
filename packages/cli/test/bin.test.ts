import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeVersionFault } from '../bin/node-version.mjs';
import { EXIT_CODES } from '../src/exit-codes.ts';
import { VERSION } from '../src/version.ts';

const BIN = join(import.meta.dirname, '..', 'bin', 'vhostlab.mjs');

function vhostlab(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });
}

/** Every `node` on the PATH whose major version is below 24. */
function oldNodes(): string[] {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'node'));
  return [...new Set([...candidates, '/usr/bin/node', '/usr/local/bin/node'])].filter((path) => {
    if (!existsSync(path)) {
      return false;
    }
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.trim().slice(1);
    return Number.parseInt(version, 10) < 24;
  });
}

describe('the vhostlab command', () => {
  it('prints its version', () => {
    expect(vhostlab('--version')).toMatchObject({ status: 0, stdout: `${VERSION}\n`, stderr: '' });
  });

  it('prints help with every command, examples and the exit-code table', () => {
    const { status, stdout } = vhostlab('--help');
    expect(status).toBe(0);
    for (const text of [
      'doctor',
      'list',
      'Examples:',
      ...EXIT_CODES.map(([code, what]) => `${code}  ${what}`),
    ]) {
      expect(stdout).toContain(text);
    }
  });

  it('ends with status 2 and names what it does not know', () => {
    const cases: [string[], string][] = [
      [['comparr'], "vhostlab: unknown command 'comparr'"],
      [['doctor', '--jsno'], "vhostlab: unknown option '--jsno'"],
      [['list', 'guests'], "'guests' is invalid"],
      [['doctor', 'twice'], 'too many arguments'],
    ];
    for (const [args, text] of cases) {
      const { status, stdout, stderr } = vhostlab(...args);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toContain(text);
    }
  });

  it('shows help and ends with status 2 when there is no command', () => {
    const { status, stderr } = vhostlab();
    expect(status).toBe(2);
    expect(stderr).toContain('Usage: vhostlab');
  });

  it('lists what this installation has', () => {
    expect(vhostlab('list', 'backends').stdout).toMatch(/^vhost-net .*\nvhost-user .*\nvfio .*\nvdpa .*$/m);
    const workloads = JSON.parse(vhostlab('list', 'workloads', '--json').stdout);
    expect(workloads.map(({ name }: { name: string }) => name)).toEqual([
      'tx',
      'rx',
      'pvp',
      'v2v',
      'rr',
      'stream',
    ]);
    const { status, stdout } = vhostlab('list', 'profiles', '--json');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toContainEqual({ name: 'reference', description: expect.any(String) });
  });

  it('describes the machine as JSON', () => {
    const { status, stdout } = vhostlab('doctor', '--json');
    expect(status).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ vhostlab: VERSION, node: { version: process.versions.node, ok: true } });
    expect(report.cpus.count).toBeGreaterThan(0);
    expect(report.memory.totalBytes).toBeGreaterThan(report.memory.freeBytes);
    expect(report.hugepages.map(({ size }: { size: string }) => size)).toEqual(['2M', '1G']);
    expect(report.peers.map(({ name }: { name: string }) => name)).toContain('qemu-system-x86_64');
  });
});

describe('an older Node', () => {
  it('is named with the version that is needed and the mend', () => {
    expect(nodeVersionFault('24.0.0')).toBeNull();
    expect(nodeVersionFault('26.1.0')).toBeNull();
    expect(nodeVersionFault('23.11.1')).toMatch(
      /needs Node 24 or newer and this is 23\.11\.1; .*npx vhostlab/,
    );
    expect(nodeVersionFault('9.9.9')).not.toBeNull();
  });

  for (const node of oldNodes().slice(0, 1)) {
    it('gets one line and status 2', () => {
      const { status, stdout, stderr } = spawnSync(node, [BIN, 'doctor'], { encoding: 'utf8' });
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^vhostlab: needs Node 24 or newer and this is [^\n]+\n$/);
    });
  }
});
