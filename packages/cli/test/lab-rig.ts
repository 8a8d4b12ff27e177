import { writeFileSync } from 'node:fs';
import type { LabState } from '@vhostlab/lab';
import { main } from '../src/main.ts';
import type { Scratch } from './command.ts';
import { fakeIo } from './fake-io.ts';

/** Labs of a test, in a folder of its own. */
export class LabRig {
  readonly #scratch: Scratch;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
  }

  /** Writes a lab file of one run. */
  file(name: string, placement: string, packets = 60): string {
    const file = this.#scratch.file(`${name}.lab.yaml`);
    writeFileSync(
      file,
      `schema: 1\nname: x\nvars: {packets: ${packets}}\nsystem:\n  workloads: [pvp]\n  traffic:\n    packets: \${packets}\nroles: {backends: [vhost-user]}\nplacement: ${placement}\n`,
    );
    return file;
  }

  /** A command on labs in this process; those that stay are started in one of their own. */
  async run(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    const io = fakeIo();
    const [command, ...rest] = args;
    const labs = command === 'validate' ? [] : ['--labs', this.#scratch.file('labs')];
    const status = await main(['lab', command, ...labs, ...rest], io);
    return { status, stdout: io.stdout(), stderr: io.stderr() };
  }

  async inspect(): Promise<LabState> {
    return JSON.parse((await this.run('inspect', 'x', '-f', 'json')).stdout) as LabState;
  }
}
