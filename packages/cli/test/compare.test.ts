import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { PLUGINS } from '@vhostlab/lab';
import { listWorkloads } from '@vhostlab/workload';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installedCatalogue } from '../src/catalogue.ts';
import { main } from '../src/main.ts';
import { installedProfiles } from '../src/profiles.ts';
import { VERSION } from '../src/version.ts';
import { run, Scratch } from './command.ts';
import { fakeIo } from './fake-io.ts';
import { expectInterrupted, faultsBy } from './published.ts';

const FEW = ['--packets', '60', '--backends', 'vhost-net,vhost-user', '--workload', 'pvp'];

let scratch: Scratch;
beforeAll(() => {
  scratch = new Scratch();
});
afterAll(() => scratch.remove());

/** What `compare --json` prints, run in this process; the folder after --out is one of the scratch folder. */
async function compared(...args: string[]): Promise<{
  run: Record<string, unknown>;
  results: { backend: string }[];
}> {
  const io = fakeIo();
  const line = args.map((arg, i) => (args[i - 1] === '--out' ? scratch.file(arg) : arg));
  expect(await main(['compare', '--json', ...line], io)).toBe(0);
  return JSON.parse(io.stdout());
}

describe('compare', () => {
  it('prints one JSON object and writes a complete run folder, both as published', async () => {
    const line = ['compare', ...FEW, '--ring', 'packed', '--execution', 'pipeline', '--json', '--out', 'one'];
    const { status, stdout, stderr } = await run(scratch, ...line);
    expect(status).toBe(0);
    expect(stderr).not.toContain('vhostlab: ');
    expect(stdout.endsWith('}\n')).toBe(true);
    const printed = JSON.parse(stdout);
    expect(faultsBy('compare-v1', printed)).toBeUndefined();
    expect(faultsBy('compare-v1', { ...printed, results: [{}] })).toBeDefined();
    expect(printed.run).toMatchObject({ id: 'one', placement: 'embedded', packets: { pvp: 60 } });
    const rows: { backend: string; frames: object; not_applicable: { option: string; reason: string }[] }[] =
      printed.results;
    expect(rows.map(({ backend }) => backend)).toEqual(['vhost-net', 'vhost-user']);
    expect(rows.map(({ not_applicable }) => not_applicable.map(({ option }) => option))).toEqual([
      ['--ring packed', '--execution pipeline'],
      [],
    ]);
    for (const { reason } of rows[0].not_applicable) expect(reason).toMatch(/^not applicable: /);

    expect(readdirSync(scratch.file('one')).sort()).toEqual([
      'events.vlog',
      'lab.yaml',
      'otlp.json',
      'report.html',
      'run.json',
      'summary.json',
    ]);
    const { finding, ...summary } = scratch.json('one', 'summary.json');
    expect(finding).toMatch(/^In pvp, /);
    expect(summary).toEqual(printed);
    const log = createHash('sha256')
      .update(readFileSync(scratch.file('one', 'events.vlog')))
      .digest('hex');
    expect(printed.event_log_sha256).toBe(log);
    const described = scratch.json('one', 'run.json');
    expect(faultsBy('run-v1', described)).toBeUndefined();
    expect(described).toMatchObject({
      id: 'one',
      state: 'complete',
      command_line: line,
      versions: { vhostlab: VERSION, node: process.version },
      options: { ring: 'packed', execution: 'pipeline', packets: 60, seed: 1 },
      results: 2,
      event_log_sha256: log,
    });
    expect(readFileSync(scratch.file('one', 'report.html'), 'utf8')).toContain(log);
    expect(scratch.leftovers()).toEqual([]);
  });

  it('prints a table that says which options a back end lacks, and a finding', async () => {
    const io = fakeIo();
    const line = ['compare', ...FEW, '--ring', 'packed', '--out', scratch.file('table')];
    expect(await main(line, io)).toBe(0);
    const stdout = io.stdout();
    const [title, head, , net, user, lack] = stdout.split('\n');
    expect(title).toBe('pvp: 60 packets, modelled with the cost profile "reference", seed 1');
    expect(head).toMatch(/^back end +Mpps .* held by +options$/);
    expect(net).toMatch(/^vhost-net .* --ring packed not applicable$/);
    expect(user).toMatch(/^vhost-user /);
    expect(user).not.toContain('not applicable');
    expect(lack).toBe(
      '  vhost-net --ring packed: not applicable: vhost-net has no packed rings; the row runs split',
    );
    expect(stdout).toMatch(/^In pvp, vhost-user [\d.]+ Mpps, vhost-net /m);
    expect(stdout).toContain(`Run folder: ${scratch.file('table')} (`);
  });

  it('runs a lab file, which options override, and writes one that repeats the run', async () => {
    writeFileSync(
      scratch.file('x.lab.yaml'),
      [
        'schema: 1',
        'name: mine',
        'system: {workloads: [tx], traffic: {packets: 50, size: imix}}',
        'roles: {backends: [vdpa, vfio]}',
      ].join('\n'),
    );
    const first = await compared('--lab', scratch.file('x.lab.yaml'), '--packets', '70', '--out', 'lab1');
    expect(first.run.packets).toEqual({ tx: 70 });
    expect(first.results.map(({ backend }) => backend)).toEqual(['vdpa', 'vfio']);
    expect(scratch.json('lab1', 'run.json').options).toMatchObject({ size: 'imix', packets: 70 });
    expect(readFileSync(scratch.file('lab1', 'lab.yaml'), 'utf8')).toMatch(/^name: mine$/m);
    const again = await compared('--lab', scratch.file('lab1', 'lab.yaml'), '--out', 'lab2');
    expect(again).toEqual({ ...first, run: { ...first.run, id: 'lab2' } });
  });

  it('gives runs that start at the same time folders of their own', async () => {
    const few = ['compare', '--packets', '5', '--backends', 'vfio', '--workload', 'tx', '--json'];
    const runs = await Promise.all([1, 2].map(() => run(scratch, ...few)));
    const ids = runs.map(({ stdout }) => JSON.parse(stdout).run.id as string);
    expect(new Set(ids).size).toBe(2);
    expect(readdirSync(scratch.file('vhostlab-runs')).sort()).toEqual([...ids].sort());
    for (const id of ids)
      expect(scratch.json('vhostlab-runs', id, 'run.json')).toMatchObject({ id, state: 'complete' });
  });

  it('shows how far it is, ends with status 130 when interrupted, and says that the run is incomplete', async () => {
    const stop = new AbortController();
    const shown: string[] = [];
    const io = fakeIo({
      signal: stop.signal,
      onProgress: (text) => {
        shown.push(text);
        if (/ [1-9]\d* delivered /.test(text)) stop.abort();
      },
    });
    const line = ['--packets', '100000000', '--backends', 'vhost-user', '--samples', '0'];
    expect(await main(['compare', ...line, '--out', scratch.file('long')], io)).toBe(130);
    expect(shown[0]).toBe('pvp over vhost-user, 100000000 packets');
    expect(shown.at(-1)).toMatch(
      /^pvp over vhost-user, 100000000 packets: [1-9]\d* delivered after \d+\.\d+ ms of virtual time$/,
    );
    expect([io.stdout(), io.stderr()]).toEqual(['', 'vhostlab: interrupted\n']);
    expectInterrupted(scratch, 'long');
  });
});

describe('the lists', () => {
  it('are what the packages have that know', async () => {
    const names = async (kind: keyof typeof installedCatalogue): Promise<string[]> =>
      (await installedCatalogue[kind]()).map(({ name }) => name);
    expect(await names('backends')).toEqual(PLUGINS.map(({ name }) => name));
    expect(await names('workloads')).toEqual(listWorkloads().map(({ name }) => name));
    expect(await names('profiles')).toEqual((await installedProfiles()).map(({ name }) => name));
    for (const kind of ['backends', 'workloads', 'profiles'] as const) {
      for (const { description } of await installedCatalogue[kind]())
        expect(description).toMatch(/^\S[^\n]{10,}\S$/);
    }
  });
});
