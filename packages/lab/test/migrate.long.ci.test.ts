import type { BackendName, WorkloadName } from '@vhostlab/workload';
import { describe, expect, it } from 'vitest';
import { migrate } from './support/migrate.ts';
import { openProcesses } from './support/run.ts';

const CASES: [BackendName, WorkloadName][] = (['vhost-net', 'vhost-user', 'vdpa'] as const).flatMap(
  (backend) =>
    (['tx', 'rx', 'pvp'] as const).map((workload): [BackendName, WorkloadName] => [backend, workload]),
);

describe('a guest that migrates under traffic', () => {
  it.each(CASES)(
    '%s, %s: no frame is lost, comes twice or too late, wherever the services are',
    async (backend, workload) => {
      const still = await migrate(backend, workload, null);
      const { result, hash, apart } = await migrate(backend, workload);
      expect(apart).toBe(hash);
      const { migration } = result;
      expect(migration).toMatchObject({
        guest: 'guest0',
        to: 'east',
        state: 'complete',
        verification: 'passed',
        stale_pages: 0,
        frames: { lost: 0, duplicated: 0, reordered: 0 },
      });
      expect(result.frames).toEqual(still.result.frames);
      expect(result.frames_sha256).toBe(still.result.frames_sha256);
      expect(migration?.rounds.length).toBeGreaterThan(2);
      expect(migration?.rounds[0]).toMatchObject({ kind: 'all', pages: migration?.memory_pages });
      expect(migration?.rounds.at(-1)?.kind).toBe('stop');
      const dirty = migration?.rounds[1];
      expect(workload === 'rx' ? dirty?.from_backend : dirty?.from_vcpus).toBeGreaterThan(50);
      const copying = backend === 'vdpa' ? 'shadow' : 'copy';
      expect(migration?.phases.map(({ phase }) => phase)).toEqual([
        'before',
        'setup',
        copying,
        'stop',
        'resumed',
      ]);
      expect(migration?.downtime_us).toBeGreaterThan(50);
      // the guest went on before the traffic was over
      expect(migration?.phases[4].from_us).toBeLessThan(4000);
    },
  );

  it.each([
    ['vhost-user', { ring: 'packed' }],
    ['vhost-user', { guest: 'interrupt', ring: 'packed' }],
    ['vhost-net', { guest: 'interrupt' }],
    ['vhost-user', { execution: 'pipeline' }],
    ['vdpa', { guest: 'interrupt' }],
    ['vdpa', { queues: 2, packets: 4000 }],
  ] as const)('%s, %j', async (backend, input) => {
    const { result, hash, apart } = await migrate(backend, 'pvp', {}, input);
    expect(apart).toBe(hash);
    expect(result.migration).toMatchObject({
      state: 'complete',
      verification: 'passed',
      frames: { lost: 0, duplicated: 0, reordered: 0 },
    });
  });

  it('stops copying in rounds when what is left fits, or after so many', async () => {
    const patient = await migrate('vhost-user', 'pvp', { maxDowntimePs: 50_000_000, maxRounds: 30 });
    const hasty = await migrate('vhost-user', 'pvp', { maxDowntimePs: 1_000_000, maxRounds: 1 });
    expect(hasty.result.migration?.rounds.map(({ kind }) => kind)).toEqual(['all', 'stop']);
    expect(patient.result.migration?.rounds.length).toBeGreaterThan(3);
    const [soon, late] = [patient, hasty].map(({ result }) => result.migration?.downtime_us ?? 0);
    expect(soon).toBeLessThan(late);
    expect(patient.result.migration?.verification).toBe('passed');
    expect(hasty.result.migration?.verification).toBe('passed');
  });
});

describe('a back end that does not log what it writes', () => {
  it.each(['vhost-net', 'vhost-user'] as const)('%s: missed used entries stop the guest', async (backend) => {
    for (const workload of ['tx', 'rx'] as const) {
      const { result, hash, apart } = await migrate(backend, workload, { skips: ['used-ring-log'] });
      expect(apart).toBe(hash);
      expect(result.migration?.verification).toBe('failed');
      expect(result.migration?.stale_pages).toBeGreaterThan(0);
      const { offered, delivered } = result.frames;
      expect(delivered).toBeLessThan(2000);
      if (workload === 'rx') expect(result.migration?.frames.lost).toBe(offered - delivered);
    }
  });

  it.each(['vhost-net', 'vhost-user'] as const)('%s: missed buffers are stale', async (backend) => {
    const { result } = await migrate(backend, 'rx', { skips: ['buffer-log'] });
    expect(result.migration?.verification).toBe('failed');
    expect(result.migration?.stale_pages).toBeGreaterThan(50);
    expect(result.migration?.stale_at[0]).toMatch(/^0x[0-9a-f]+$/);
  });
});

describe('a vDPA device behind shadow virtqueues', () => {
  it('costs exits and host CPU while memory is copied, and no longer', async () => {
    const { result } = await migrate('vdpa', 'pvp');
    const phases = new Map(result.migration?.phases.map((one) => [one.phase, one]));
    const before = phases.get('before');
    const shadow = phases.get('shadow');
    const resumed = phases.get('resumed');
    expect(before).toMatchObject({ exits: 0 });
    expect(resumed).toMatchObject({ exits: 0 });
    expect(shadow?.exits).toBeGreaterThan(500);
    expect(shadow?.host_cores).toBeGreaterThan((before?.host_cores ?? 0) + 0.5);
    const { timeline } = result.migration ?? { timeline: { span_us: 1, host_cores: [], exits: [] } };
    const at = (us: number) => Math.floor(us / timeline.span_us);
    const during = timeline.exits.slice(at(shadow?.from_us ?? 0) + 1, at(shadow?.to_us ?? 0));
    expect(Math.min(...during)).toBeGreaterThan(0);
    expect(timeline.exits.slice(at(resumed?.from_us ?? 0) + 1).every((exits) => exits === 0)).toBe(true);
  });

  it('says that the base is untrusted when the device cannot be suspended', async () => {
    const { result } = await migrate('vdpa', 'tx', {}, { vdpaLacks: ['suspend'] });
    expect(result.migration).toMatchObject({ state: 'complete', verification: 'passed' });
    expect(result.migration?.reason).toContain(
      'the base of the vDPA device is untrusted: it has no VHOST_BACKEND_F_SUSPEND',
    );
    expect((await migrate('vdpa', 'tx', {}, {}, 'together')).result.migration?.reason).toBe('');
  });
});

describe('services in processes', () => {
  it('migrate a guest with the log and the figures of one process', async () => {
    const lab = await openProcesses();
    try {
      for (const backend of ['vhost-net', 'vhost-user', 'vdpa'] as const) {
        const together = await migrate(backend, 'pvp', {}, {}, 'together');
        const apart = await migrate(backend, 'pvp', {}, {}, lab);
        expect(apart.hash).toBe(together.hash);
        expect(apart.result).toEqual(together.result);
      }
    } finally {
      await lab.close();
    }
  });
});
