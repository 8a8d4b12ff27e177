import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { WantedLab } from '@vhostlab/lab';
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { supervise } from '../supervise.ts';

/** Adds `vhostlab lab supervise`, which `lab up` starts and nobody types. */
export function register(group: Command, io: Io): void {
  group
    .command('supervise', { hidden: true })
    .description('the process of a lab that is up')
    .argument('<folder>', 'folder of the lab')
    .argument('<wanted>', 'file in it that says what the lab shall be')
    .option('--security <folder>', 'token and certificates')
    .action(async (folder: string, wanted: string, flags: { security?: string }) => {
      const file = join(folder, wanted);
      const lab = JSON.parse(readFileSync(file, 'utf8')) as WantedLab;
      rmSync(file);
      await supervise(io, lab, join(folder, '..'), flags.security);
    });
}
