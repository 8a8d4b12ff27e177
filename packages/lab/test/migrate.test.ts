import { describe, expect, it } from 'vitest';
import type { CompareOptionsInput } from '../src/index.ts';
import { migrate } from './support/migrate.ts';

describe('a guest that migrates under traffic', () => {
  it('loses no frame, and goes on with the bytes that were copied', async () => {
    const { result, hash, apart } = await migrate('vhost-user', 'pvp');
    expect(apart).toBe(hash);
    expect(result.migration).toMatchObject({
      state: 'complete',
      verification: 'passed',
      frames: { lost: 0, duplicated: 0, reordered: 0 },
    });
    expect(result.migration?.rounds.map(({ kind }) => kind)).toEqual(['all', 'dirty', 'stop']);
    expect(result.events).toEqual([{ at_us: 100, event: 'migrate guest0 to east', took_effect: true }]);
  });

  it('fails the verification when used entries are not logged', async () => {
    const { result } = await migrate('vhost-net', 'rx', { skips: ['used-ring-log'] }, {}, 'together');
    expect(result.migration?.verification).toBe('failed');
    expect(result.migration?.frames.lost).toBeGreaterThan(0);
  });
});

describe('a vDPA device', () => {
  it('is migrated behind shadow virtqueues, which cost exits and host CPU', async () => {
    const { result } = await migrate('vdpa', 'pvp', {}, {}, 'together');
    expect(result.migration).toMatchObject({
      verification: 'passed',
      frames: { lost: 0, duplicated: 0, reordered: 0 },
    });
    const [before, , shadow] = result.migration?.phases ?? [];
    expect(shadow.phase).toBe('shadow');
    expect(shadow.exits).toBeGreaterThan(before.exits + 500);
    expect(shadow.host_cores).toBeGreaterThan(before.host_cores + 0.5);
  });
});

describe('a guest that cannot migrate', () => {
  it.each([
    ['vfio', 'pvp', {}, 'over vfio the device has no VFIO_DEVICE_FEATURE_MIGRATION'],
    ['vhost-user', 'v2v', {}, 'the other guest of v2v would stay behind'],
    [
      'vdpa',
      'pvp',
      { ring: 'packed', without: undefined },
      'VIRTIO_F_RING_PACKED, VIRTIO_F_INDIRECT_DESC, VIRTIO_F_IN_ORDER',
    ],
    ['vdpa', 'pvp', { without: ['IN_ORDER'] }, 'use system.guests.without: [INDIRECT_DESC]'],
  ] as const)('%s, %s: the reason', async (backend, workload, input, reason) => {
    await expect(migrate(backend, workload, {}, input as CompareOptionsInput)).rejects.toThrow(reason);
  });
});
