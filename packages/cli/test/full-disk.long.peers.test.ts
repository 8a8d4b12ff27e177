import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { run, Scratch } from './command.ts';
import { LabRig } from './lab-rig.ts';

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
  mkdirSync(scratch.file('small'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', scratch.file('small')]);
});
afterEach(() => {
  execFileSync('umount', ['-l', scratch.file('small')]);
  scratch.remove();
});

it.each(['embedded', 'process'])(
  'a disk that fills in the middle of a run ends the lab with a sentence, placement %s',
  async (placement) => {
    const file = new LabRig(scratch).file('one', placement, 3000);
    const labs = ['--labs', scratch.file('small', 'labs')];
    const { status, stderr } = await run(scratch, 'lab', 'up', file, '--foreground', '--wait', ...labs);
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(
        /^vhostlab: .*\/small\/labs\/x cannot be written: no space is left on the disk; make room or name another place with --labs\n$/,
      ),
    ]);
    expect(scratch.leftovers()).toEqual([]);
  },
);
