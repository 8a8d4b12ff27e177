import { expect, it } from 'vitest';
import { startChild, within } from '../src/index.ts';

const index = new URL('../src/index.ts', import.meta.url).href;

it('a process ends at once although a reactor of its own still waits', async () => {
  const program = `import { Reactor } from '${index}'; new Reactor(); setTimeout(() => process.exit(7), 50);`;
  const child = await startChild(process.execPath, ['--input-type=module-typescript', '-e', program]);
  const end = await within(child.exited, 20_000);
  if (end === undefined) child.kill('SIGKILL');
  expect(end).toEqual({ code: 7, signal: null });
});
