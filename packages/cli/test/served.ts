import { existsSync } from 'node:fs';
import { createGrpcTransport, lifecycleClient, type Role } from '@vhostlab/contracts';
import { expect } from 'vitest';
import { type Running, type Scratch, start } from './command.ts';

/** Starts a service and waits until it says where it listens. */
export async function serve(
  scratch: Scratch,
  role: string,
  listen: string,
  ...more: string[]
): Promise<{ running: Running; address: string }> {
  const running = start(scratch, 'serve', role, '--listen', listen, ...more);
  await expect.poll(() => running.stdout(), { timeout: 40_000 }).toMatch(/ listens on \S+\n$/);
  return { running, address: running.stdout().trimEnd().split(' ').at(-1) ?? '' };
}

/** Expects a service to answer until SIGTERM, and then to drain and end with status 0. */
export async function expectDrained(scratch: Scratch, role: Role): Promise<void> {
  const { running, address } = await serve(scratch, role, `unix:${scratch.file(`${role}.sock`)}`);
  expect(running.stdout()).toBe(`vhostlab ${role} listens on ${address}\n`);
  const transport = createGrpcTransport(address);
  expect((await lifecycleClient(role, transport).describe()).name).toBe(role);
  process.kill(running.pid, 'SIGTERM');
  expect(await running.exited).toBe(0);
  await expect(lifecycleClient(role, transport).describe({ timeoutMs: 1000 })).rejects.toThrow();
  transport.close();
  expect(existsSync(scratch.file(`${role}.sock`))).toBe(false);
  expect(running.stderr()).toBe('');
}
