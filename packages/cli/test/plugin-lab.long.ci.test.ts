import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lives, Scratch } from './command.ts';
import { LabRig } from './lab-rig.ts';

const IMPAIR = join(import.meta.dirname, '../../../examples/plugins/impair');
const WAIT_MS = 30_000;

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

/** Processes that `pid` has started and that live. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => {
      try {
        return (
          Number(readFileSync(`/proc/${child}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]) === pid &&
          lives(child)
        );
      } catch {
        return false;
      }
    });
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + WAIT_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what} has not come about within ${WAIT_MS / 1000} s`);
    await sleep(100);
  }
}

/** A lab that runs for minutes over a burst plugin: pids of its supervisor, its back-end service and the plugin. */
async function longLab(placement: string): Promise<{ supervisor: number; backend: number; plugin: number }> {
  const file = scratch.file('x.lab.yaml');
  writeFileSync(
    file,
    `schema: 1\nname: x\nsystem: {workloads: [pvp], traffic: {packets: 50000000}}\nroles: {backends: [{plugin: ${IMPAIR}}]}\nplacement: ${placement}\n`,
  );
  const up = await rig.run('up', file);
  expect([up.status, up.stderr]).toEqual([0, '']);
  const { supervisor, nodes } = await rig.inspect();
  const backend = nodes.find(({ kind }) => kind === 'backend')?.pid as number;
  await until('traffic', async () => ((await rig.inspect()).runs[0]?.delivered ?? 0) > 0);
  const known = new Set(nodes.map(({ pid }) => pid));
  const [plugin] = childrenOf(backend).filter((pid) => !known.has(pid));
  expect(plugin).toBeGreaterThan(0);
  return { supervisor, backend, plugin: plugin as number };
}

describe.each(['process', 'embedded'])('a burst plugin in a lab, %s', (placement) => {
  it('ends with the lab', async () => {
    const { supervisor, backend, plugin } = await longLab(placement);
    expect((await rig.run('down', 'x')).status).toBe(0);
    await until('the end', () => ![supervisor, backend, plugin].some(lives));
  });

  it('that is killed ends the lab, which names plugin and call, and nothing stays', async () => {
    const { supervisor, backend, plugin } = await longLab(placement);
    process.kill(plugin, 'SIGKILL');
    await until('the end', () => ![supervisor, backend].some(lives));
    const { phase, error } = await rig.inspect();
    expect([phase, error]).toEqual([
      'failed',
      expect.stringMatching(/The burst plugin at \S+ failed in Exchange: /),
    ]);
  });

  it('ends with a supervisor that is killed', async () => {
    const { supervisor, backend, plugin } = await longLab(placement);
    process.kill(supervisor, 'SIGKILL');
    await until('the end', () => ![supervisor, backend, plugin].some(lives));
  });
});

it('a back-end service that is killed takes its plugin along', async () => {
  const { supervisor, backend, plugin } = await longLab('process');
  process.kill(backend, 'SIGKILL');
  await until('the end', () => ![supervisor, backend, plugin].some(lives));
  expect((await rig.inspect()).error).toMatch(/^service backend \(process \d+\) was ended by SIGKILL/);
});
