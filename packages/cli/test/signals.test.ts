import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const IO = join(import.meta.dirname, '..', 'src', 'io.ts');

/** A process that prints "ready", says when its signal is aborted, and lives until it is ended. */
async function startInterruptible(): Promise<{ child: ChildProcess; output: () => string }> {
  const script = `
    const { processIo } = await import(${JSON.stringify(IO)});
    const io = processIo();
    io.interruptible().addEventListener('abort', () => io.out('aborted '));
    io.interruptible();
    setInterval(() => {}, 1000);
    io.out('ready ');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
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
