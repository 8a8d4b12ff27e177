import { describe, expect, it } from 'vitest';
import { processFacts, sleep, startChild } from '../src/index.ts';

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

  it('signals every process of a group of its own, and tells what standard error said', async () => {
    let said = '';
    const child = await startChild('sh', ['-c', 'sleep 60 & echo $! >&2; wait'], {
      ownGroup: true,
      onErrorOutput: (text) => {
        said += text;
      },
    });
    while (!said.endsWith('\n')) await sleep(1);
    expect(processFacts(Number(said))).toBeDefined();
    child.kill('SIGTERM');
    expect(await child.exited).toEqual({ code: null, signal: 'SIGTERM' });
    while (processFacts(Number(said)) !== undefined) await sleep(1);
    child.kill('SIGTERM');
  });

  it('says what cannot be started', async () => {
    await expect(startChild('/no/such/program', [])).rejects.toThrow('ENOENT');
  });
});
