import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SUPERVISED } from '../src/io.ts';

const IO = join(import.meta.dirname, '..', 'src', 'io.ts');

/** A process that prints "ready", says when its signal is aborted, and lives until it is ended. */
async function startInterruptible(
  env: Readonly<Record<string, string>> = {},
): Promise<{ child: ChildProcess; output: () => string }> {
  const script = `
    const { processIo } = await import(${JSON.stringify(IO)});
    const io = processIo();
    io.interruptible().addEventListener('abort', () => io.out('aborted '));
    io.interruptible();
    process.on('SIGUSR2', () => io.out('there '));
    setInterval(() => {}, 1000);
    io.out('ready ');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child.stdout!, 'data');
  return { child, output: () => text };
}

describe('an interruptible command', () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`hears the first ${signal} and ends with status 130 on the second`, async () => {
      const { child, output } = await startInterruptible();
      child.kill(signal);
      await once(child.stdout!, 'data');
      expect(output()).toBe('ready aborted ');
      expect(child.exitCode).toBeNull();
      child.kill(signal);
      const [status] = await once(child, 'exit');
      expect(status).toBe(130);
    });
  }
});

describe('an interruptible command under a supervisor', () => {
  it('hears only the first of the signals', async () => {
    const { child, output } = await startInterruptible({ [SUPERVISED]: '1' });
    child.kill('SIGTERM');
    await once(child.stdout!, 'data');
    child.kill('SIGTERM');
    // Not heard, so that there is nothing to wait for but what comes behind it.
    for (let answer = 0; answer < 2; answer += 1) {
      child.kill('SIGUSR2');
      await once(child.stdout!, 'data');
    }
    expect(output()).toBe('ready aborted there there ');
    child.kill('SIGKILL');
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
  });
});

describe('a supervised command', () => {
  it('is aborted when its supervisor is killed', async () => {
    const supervised = `
      const { processIo } = await import(${JSON.stringify(IO)});
      const io = processIo();
      const timer = setInterval(() => {}, 1000);
      io.interruptible().addEventListener('abort', () => { io.out('aborted'); clearInterval(timer); });
      io.out('ready');
    `;
    const supervisor = `
      const { spawn } = await import('node:child_process');
      const args = ['--input-type=module', '-e', ${JSON.stringify(supervised)}];
      spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ${SUPERVISED}: '1' } });
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', supervisor], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    // The pipe closes when the last process that has it has ended.
    await once(child, 'close');
    expect(output).toBe('readyaborted');
  });
});

describe('output into a closed pipe', () => {
  it('ends the process without an error', async () => {
    const script = `
      const { processIo } = await import(${JSON.stringify(IO)});
      const io = processIo();
      setInterval(() => io.out('x'.repeat(65536)), 1);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [status] = await once(child, 'close');
    expect([status, errors]).toEqual([0, '']);
  });
});
