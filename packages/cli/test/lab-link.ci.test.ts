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

async function link(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const io = fakeIo();
  const status = await main(['lab', 'link', ...args, '--labs', scratch.file('labs')], io);
  return { status, stdout: io.stdout(), stderr: io.stderr() };
}

describe('lab link', () => {
  it('changes a link from a moment on: the runs begin anew with it, as the run folder repeats', async () => {
    expect((await rig.run('up', rig.file('one', 'embedded', 400), '--wait')).status).toBe(0);
    const before = await rig.inspect();
    const set = await link('set', 'x', 'nic0:wire', '--loss', '5%', '--at', '2us', '--wait', '--json');
    const told = JSON.parse(set.stdout);
    expect(told.actions).toEqual(['run pvp/vhost-user']);
    expect(told.event.link.endpoints).toEqual(['nic0:wire', 'station:wire']);
    const after = await rig.inspect();
    expect(told.event_log_sha256).toBe(after.event_log_sha256);
    expect(after.event_log_sha256).not.toBe(before.event_log_sha256);
    expect(after.runs[0].dropped).toBeGreaterThan(0);
    expect(after.runs[0].events).toEqual([{ at_us: 2, event: 'link wire: loss 5 %', took_effect: true }]);
    expect((await rig.run('inspect', 'x')).stdout).toContain(
      'pvp/vhost-user, at 2 us: link wire: loss 5 %\n',
    );

    const again = await run(scratch, 'compare', '--lab', `${after.run_folder}/lab.yaml`, '--json');
    expect(JSON.parse(again.stdout).event_log_sha256).toBe(after.event_log_sha256);

    const late = await link('set', 'x', 'station:wire,nic0:wire', '--rate', '1Gbps', '--at', '1s', '--wait');
    expect(late.stdout).toContain('link wire: rate 1 Gbps (no effect: the run was over by then)\n');
    expect((await rig.inspect()).event_log_sha256).toBe(after.event_log_sha256);
    const repeated = await run(scratch, 'compare', '--lab', `${(await rig.inspect()).run_folder}/lab.yaml`);
    expect(repeated.stdout).toContain(
      'vhost-user: the event at 1000000 us (link wire: rate 1 Gbps) had no effect: the run was over by then.\n',
    );
    expect((await link('show', 'x')).stdout).toMatch(
      /nic0:wire,station:wire +cost profile +0ns +0ns +0ns +0% +0% +line *\n +2us +0ns +0ns +5% +0% +line *\n +1s +0ns +0ns +5% +0% +1Gbps/,
    );

    // the file says nothing of this
    expect((await rig.run('up', rig.file('one', 'embedded', 400), '--wait')).stdout).toContain(
      'run pvp/vhost-user\n',
    );
    expect((await rig.inspect()).event_log_sha256).toBe(before.event_log_sha256);
    expect((await rig.inspect()).run_events).toBeUndefined();
  });

  it('refuses what it cannot do by name, and leaves the lab as it was', async () => {
    await rig.run('up', rig.file('one', 'embedded'), '--wait');
    const before = await rig.inspect();
    const refused = async (...args: string[]) => {
      const { status, stderr } = await link('set', 'x', ...args);
      expect(status).toBe(2);
      return stderr;
    };
    expect(await refused('nic0:wire', '--loss', '5%')).toBe(
      'vhostlab: --at is missing: this lab runs on the virtual clock, where a command takes effect at a stated moment, such as --at 5ms from the start of traffic\n',
    );
    expect(await refused('nic0:wire', '--at', '5us')).toMatch(
      /nothing is set; use --delay, --jitter, --loss/,
    );
    expect(await refused('guest0:vq', '--loss', '5%', '--at', '5us')).toMatch(/only the wire,/);
    expect(await refused('nic1:wire', '--loss', '5%', '--at', '5us')).toMatch(
      /no link "nic1:wire"; there are guest0:vq,/,
    );
    expect(await refused('nic0:wire', '--loss', '5', '--at', '5us')).toMatch(
      /^vhostlab: --loss: must be a share such as 0\.1%, not "5"/,
    );
    expect(await refused('nic0:wire', '--loss', '5%', '--at', '5')).toMatch(
      /^vhostlab: --at: must be a time such as 10us, not "5"/,
    );
    expect(await rig.inspect()).toEqual(before);
  });
});
