import { describe, expect, it } from 'vitest';
import { startChild } from '../src/index.ts';

describe('startChild', () => {
  it('tells what it printed and how it ended', async () => {
    let printed = '';
    const child = await startChild(
      process.execPath,
      ['-e', 'console.log(process.env.WORD); process.exit(7)'],
      {
        env: { WORD: 'hello' },
        onOutput: (text) => {
          printed += text;
        },
      },
    );
    expect(await child.exited).toEqual({ code: 7, signal: null });
    expect(printed).toBe('hello\n');
  });

  it('tells the signal that ended it', async () => {
    const child = await startChild(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    child.kill('SIGKILL');
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('says what cannot be started', async () => {
    await expect(startChild('/no/such/program', [])).rejects.toThrow('ENOENT');
  });
});
