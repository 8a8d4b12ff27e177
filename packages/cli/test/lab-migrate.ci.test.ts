import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { run, Scratch } from './command.ts';
import { fakeIo } from './fake-io.ts';
import { LabRig } from './lab-rig.ts';

let scratch: Scratch;
let rig: LabRig;
beforeEach(() => {
  scratch = new Scratch();
  rig = new LabRig(scratch);
});
afterEach(async () => {
  await rig.run('down', 'x');
  scratch.remove();
});

async function migrate(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const io = fakeIo();
  const status = await main(['lab', 'migrate', ...args, '--labs', scratch.file('labs')], io);
  return { status, stdout: io.stdout(), stderr: io.stderr() };
}

/** A lab file with a second host. */
function file(backend: string, packets = 300): string {
  const path = scratch.file(`${backend}.lab.yaml`);
  writeFileSync(
    path,
    `schema: 1\nname: x\nsystem:\n  workloads: [rx]\n  traffic: {packets: ${packets}, rate: 400kpps}\n  hosts: {east: {rate: 200Gbps, latency: 5us}}\nroles: {backends: [${backend}]}\n`,
  );
  return path;
}

describe('lab migrate', () => {
  it('moves a guest at a moment of the run, which begins anew with it, as the run folder repeats', async () => {
    expect((await rig.run('up', file('vhost-user'), '--wait')).status).toBe(0);
    const before = await rig.inspect();
    const done = await migrate('x', 'guest0', '--to', 'east', '--at', '50us', '--wait', '--json');
    expect(done.status).toBe(0);
    const told = JSON.parse(done.stdout);
    expect(told.actions).toEqual(['run rx/vhost-user']);
    const after = await rig.inspect();
    expect(after.runs[0].frames_sha256).toBe(before.runs[0].frames_sha256);
    expect(after.runs[0].migration).toMatchObject({
      guest: 'guest0',
      to: 'east',
      state: 'complete',
      verification: 'passed',
      frames: { lost: 0, duplicated: 0, reordered: 0 },
    });
    const shown = (await rig.run('inspect', 'x')).stdout;
    expect(shown).toContain('0 frames lost, 0 duplicated, 0 reordered; verification passed\n');
    expect(shown).toMatch(/round +pages +by vCPUs +by back end/);
    expect(shown).toMatch(/\nstop +\d/);

    const again = await run(scratch, 'compare', '--lab', `${after.run_folder}/lab.yaml`, '--json');
    const comparison = JSON.parse(again.stdout);
    expect(comparison.event_log_sha256).toBe(after.event_log_sha256);
    expect(comparison.results[0].migration).toEqual(after.runs[0].migration);
  });

  it('refuses what it cannot do by name, and leaves the lab as it was', async () => {
    await rig.run('up', file('vfio', 20), '--wait');
    const before = await rig.inspect();
    const refused = async (...args: string[]) => {
      const { status, stderr } = await migrate('x', ...args);
      expect(status).toBe(2);
      return stderr;
    };
    expect(await refused('guest0', '--to', 'east')).toContain('--at is missing');
    expect(await refused('guest0', '--to', 'west', '--at', '1us')).toContain(
      'there is no host "west": system.hosts has east',
    );
    expect(await refused('nic0', '--to', 'east', '--at', '1us')).toContain('nic0 is no guest: it is a nic');
    expect(await refused('guest0', '--to', 'east', '--at', '1us', '--max-rounds', 'x')).toContain(
      'rounds from 1 to 1000',
    );
    expect(await refused('guest0', '--to', 'east', '--at', '1us')).toContain(
      'over vfio the device has no VFIO_DEVICE_FEATURE_MIGRATION',
    );
    expect(await rig.inspect()).toEqual(before);
  });
});
