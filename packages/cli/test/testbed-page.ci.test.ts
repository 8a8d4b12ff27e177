import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { run, Scratch } from './command.ts';

const root = join(import.meta.dirname, '../../..');

/** Command lines of the shell blocks of a page. */
function commandsOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block]) => block.trim().split('\n'));
}

it('the commands of docs/testbed.md do what the page says', async () => {
  const scratch = new Scratch();
  symlinkSync(join(root, 'examples'), scratch.file('examples'));
  try {
    const commands = commandsOf('docs/testbed.md').filter((line) => line.startsWith('vhostlab '));
    expect(commands.length).toBeGreaterThan(8);
    for (const line of commands) {
      const { status, stdout, stderr } = await run(scratch, ...line.split(' ').slice(1));
      expect([line, status, stderr.includes('vhostlab: ')]).toEqual([line, 0, false]);
      expect(stdout.length, line).toBeGreaterThan(0);
    }
    expect(scratch.leftovers()).toEqual([]);
  } finally {
    for (const name of ['pvp', 'swap', 'migrate']) await run(scratch, 'lab', 'down', name);
    scratch.remove();
  }
});
