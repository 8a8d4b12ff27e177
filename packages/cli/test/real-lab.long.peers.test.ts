import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { lives, run, Scratch } from './command.ts';
import { inspect, PATIENCE, processesOf } from './real-lab-rig.ts';

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(async () => {
  await run(scratch, 'lab', 'down', 'dpdk');
  scratch.remove();
});

it('DPDK sends to DPDK through our switch; a change starts anew what it touches; nothing is left of a killed supervisor', async () => {
  const lab = `schema: 1
name: dpdk
system:
  nodes:
    asks: {kind: testpmd, forward: flowgen, frames: 500, mac: "52:54:00:00:00:01", memoryMiB: 64}
    answers: {kind: testpmd, forward: macswap, mac: "52:54:00:00:00:02", memoryMiB: 64}
    sw: {kind: backend, mode: interrupt, flows: ["in_port=port0,actions=output:port1", "in_port=port1,actions=output:port0"]}
  links:
    - [asks:vhost0, sw:port0]
    - [answers:vhost0, sw:port1]
time: {clock: real}
`;
  const file = scratch.file('dpdk.lab.yaml');
  writeFileSync(file, lab);
  const up = await run(scratch, 'lab', 'up', file, '--wait');
  expect([up.status, up.stdout]).toEqual([0, expect.stringContaining('asks: 500 frames received  complete')]);
  const before = await inspect(scratch, 'dpdk');
  expect(before.runs[0].delivered).toBeGreaterThanOrEqual(500);
  // a program that is started otherwise takes those with it that are joined to it
  writeFileSync(file, lab.replace('frames: 500', 'frames: 900'));
  const planned = await run(scratch, 'lab', 'up', file, '--dry-run');
  expect(planned.stdout).toBe(
    'stop asks (testpmd)\nstop answers (testpmd)\nstop sw (backend)\nstart sw (backend)\nstart asks (testpmd)\nstart answers (testpmd)\nrun asks: 900 frames received\n',
  );
  const again = await run(scratch, 'lab', 'up', file, '--wait');
  expect([again.status, again.stdout]).toEqual([
    0,
    expect.stringContaining('asks: 900 frames received  complete'),
  ]);
  const state = await inspect(scratch, 'dpdk');
  expect(before.nodes.map(({ pid }) => pid as number).filter(lives)).toEqual([]);

  const processes = processesOf(state);
  expect(processes.filter(lives).length).toBeGreaterThanOrEqual(4);
  process.kill(state.supervisor, 'SIGKILL');
  await vi.waitFor(() => expect(processes.filter(lives)).toEqual([]), PATIENCE);
  expect(scratch.leftovers()).toEqual([]);
  expect(await inspect(scratch, 'dpdk')).toMatchObject({
    phase: 'failed',
    error: expect.stringContaining('was killed'),
  });
}, 120_000);
