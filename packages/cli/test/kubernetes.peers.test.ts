import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { run, Scratch } from './command.ts';

const EXAMPLE = join(import.meta.dirname, '../../../examples/replay.lab.yaml');

let scratch: Scratch;
beforeAll(async () => {
  scratch = new Scratch();
  const { status, stderr } = await run(scratch, 'lab', 'export', 'kubernetes', EXAMPLE, '--out', 'out');
  expect([status, stderr]).toEqual([0, '']);
});
afterAll(() => scratch.remove());

function kubectl(...args: string[]): string {
  return execFileSync('kubectl', args, {
    cwd: scratch.path,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

describe('lab export kubernetes', () => {
  it.each(['base', 'overlays/one-node', 'overlays/spread'])(
    '%s passes kubectl kustomize and kubectl set env',
    (path) => {
      const text = kubectl('kustomize', `out/${path}`);
      const objects = parseAllDocuments(text).map((document) => document.toJS());
      const names = objects.map(
        ({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[a-z0-9]{10}$/, '')}`,
      );
      expect(names).toEqual(
        expect.arrayContaining([
          'Deployment nic',
          'Service guest',
          'Job lab',
          'ConfigMap replay-lab',
          'Secret replay-nic-tls',
        ]),
      );
      // names of generated objects have a hash, and pods refer to them by it
      const secret = objects.find(({ metadata }) => metadata.name.startsWith('replay-nic-tls'))?.metadata
        .name;
      expect(secret).toMatch(/^replay-nic-tls-/);
      expect(text).toContain(`secretName: ${secret}`);
      const map = objects.find(({ kind }) => kind === 'ConfigMap');
      expect([...Object.keys(map.data ?? {}), ...Object.keys(map.binaryData ?? {})].sort()).toEqual([
        'capture-mixed.pcapng',
        'lab.yaml',
      ]);
      // set env takes what has a pod template alone
      const file = scratch.file('pods.json');
      const items = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'Job');
      writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
      const set = kubectl('set', 'env', '--local', '-f', file, '-o', 'yaml', 'LOG_LEVEL=debug');
      expect(set.match(/name: LOG_LEVEL/g)).toHaveLength(5);
    },
  );

  it('makes a Job for each value of a sweep, and pods with huge pages near each other', async () => {
    const pvp = join(import.meta.dirname, '../../../examples/pvp.lab.yaml');
    const { status, stderr } = await run(
      scratch,
      ...[
        'lab',
        'export',
        'kubernetes',
        pvp,
        '--out',
        'more',
        '--hugepages',
        '512',
        '--sweep',
        'packets=100,200',
      ],
    );
    expect([status, stderr]).toEqual([0, '']);
    const sweep = parseAllDocuments(kubectl('kustomize', 'more/overlays/sweep')).map((each) => each.toJS());
    expect(sweep.map(({ kind }) => kind).sort()).toEqual(['ConfigMap', 'Job', 'Job']);
    const map = sweep.find(({ kind }) => kind === 'ConfigMap');
    expect(map.data['lab.yaml']).toContain('placement: embedded');
    for (const { kind, spec } of sweep) {
      if (kind !== 'Job') continue;
      const { volumes } = spec.template.spec;
      expect(volumes).toContainEqual({ name: 'lab', configMap: { name: map.metadata.name } });
    }
    const spread = kubectl('kustomize', 'more/overlays/spread');
    expect(spread.match(/hugepages-2Mi: 512Mi/g)).toHaveLength(4);
    // spread over nodes, no pod wants to be near another
    expect(spread).not.toContain('podAffinity:');
    expect(kubectl('kustomize', 'more/overlays/one-node').match(/ podAffinity:/g)).toHaveLength(4);
  });
});
