import { existsSync } from 'node:fs';
import { createGrpcTransport, lifecycleClient } from '@vhostlab/contracts';
import { ROLES } from '@vhostlab/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Running, run, Scratch, start } from './command.ts';

let scratch: Scratch;
beforeAll(() => {
  scratch = new Scratch();
});
afterAll(() => scratch.remove());

/** Starts a service and waits until it says where it listens. */
async function serve(
  role: string,
  listen: string,
  ...more: string[]
): Promise<{ running: Running; address: string }> {
  const running = start(scratch, 'serve', role, '--listen', listen, ...more);
  await expect.poll(() => running.stdout(), { timeout: 40_000 }).toMatch(/ listens on \S+\n$/);
  return { running, address: running.stdout().trimEnd().split(' ').at(-1) ?? '' };
}

describe('serve', () => {
  it.concurrent.each(ROLES)('%s answers until SIGTERM, then drains and ends with status 0', async (role) => {
    const { running, address } = await serve(role, `unix:${scratch.file(`${role}.sock`)}`);
    expect(running.stdout()).toBe(`vhostlab ${role} listens on ${address}\n`);
    const transport = createGrpcTransport(address);
    expect((await lifecycleClient(role, transport).describe()).name).toBe(role);
    process.kill(running.pid, 'SIGTERM');
    expect(await running.exited).toBe(0);
    await expect(lifecycleClient(role, transport).describe({ timeoutMs: 1000 })).rejects.toThrow();
    transport.close();
    expect(existsSync(scratch.file(`${role}.sock`))).toBe(false);
    expect(running.stderr()).toBe('');
  });

  it('refuses an address that is in use in one sentence', async () => {
    const { running, address } = await serve('nic', '127.0.0.1:0');
    expect(address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    const second = await run(scratch, 'serve', 'switch', '--listen', address);
    expect(second).toEqual({
      status: 2,
      stdout: '',
      stderr: `vhostlab: --listen: Address ${address} is in use; stop the process that listens there or choose another address.\n`,
    });
    process.kill(running.pid, 'SIGTERM');
    expect(await running.exited).toBe(0);
  });

  it('refuses a socket that another service has, and takes over one that nobody has', async () => {
    const listen = `unix:${scratch.file('one.sock')}`;
    const { running } = await serve('nic', listen);
    const second = await run(scratch, 'serve', 'nic', '--listen', listen);
    expect([second.status, second.stdout]).toEqual([2, '']);
    expect(second.stderr).toMatch(/^vhostlab: --listen: Address unix:\S+ is in use; [^\n]+\n$/);
    process.kill(running.pid, 'SIGKILL');
    await expect(running.exited).rejects.toThrow('SIGKILL');
    expect(existsSync(scratch.file('one.sock'))).toBe(true);
    const third = await serve('nic', listen);
    process.kill(third.running.pid, 'SIGINT');
    expect(await third.running.exited).toBe(0);
  });

  it('refuses addresses that cannot be', async () => {
    const cases = [
      ['nowhere', 'Address "nowhere" is not HOST:PORT'],
      ['127.0.0.1:99999', 'Address "127.0.0.1:99999" is not HOST:PORT'],
      ['unix:relative.sock', 'Address "unix:relative.sock" needs an absolute path'],
      ['unix:/nonexistent/nic.sock', 'The folder of the socket unix:/nonexistent/nic.sock does not exist'],
    ];
    await Promise.all(
      cases.map(async ([listen, text]) => {
        const { status, stdout, stderr } = await run(scratch, 'serve', 'nic', '--listen', listen);
        expect([status, stdout]).toEqual([2, '']);
        expect(stderr).toMatch(/^[^\n]+\n$/);
        expect(stderr).toContain(`vhostlab: --listen: ${text}`);
      }),
    );
  });

  it('refuses a service that there is not, and a missing address', async () => {
    const unknown = await run(scratch, 'serve', 'router', '--listen', '127.0.0.1:0');
    expect([unknown.status, unknown.stdout]).toEqual([2, '']);
    expect(unknown.stderr).toContain("'router' is invalid");
    const missing = await run(scratch, 'serve', 'nic');
    expect(missing.status).toBe(2);
    expect(missing.stderr).toContain("'--listen <address>' not specified");
  });

  it('ends with its parent when asked to', async () => {
    const { running } = await serve('guest', `unix:${scratch.file('child.sock')}`, '--exit-with-stdin');
    running.child.stdin?.end();
    expect(await running.exited).toBe(0);
  });
});
