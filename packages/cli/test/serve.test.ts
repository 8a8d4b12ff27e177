import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { run, Scratch } from './command.ts';
import { fakeIo } from './fake-io.ts';
import { expectDrained, serve } from './served.ts';

let scratch: Scratch;
beforeAll(() => {
  scratch = new Scratch();
});
afterAll(() => scratch.remove());

/** What `serve` says that is refused, in this process; it prints nothing else. */
async function refusal(...args: string[]): Promise<string> {
  const io = fakeIo();
  expect([await main(['serve', ...args], io), io.stdout()]).toEqual([2, '']);
  return io.stderr();
}

describe('serve', () => {
  it('answers until SIGTERM, then drains and ends with status 0', async () => {
    await expectDrained(scratch, 'backend');
  });

  it('refuses an address that is in use in one sentence', async () => {
    const { running, address } = await serve(scratch, 'nic', '127.0.0.1:0');
    expect(address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    expect(await refusal('switch', '--listen', address)).toBe(
      `vhostlab: --listen: Address ${address} is in use; stop the process that listens there or choose another address.\n`,
    );
    process.kill(running.pid, 'SIGTERM');
    expect(await running.exited).toBe(0);
  });

  it('refuses a socket that another service has, and takes over one that nobody has', async () => {
    const listen = `unix:${scratch.file('one.sock')}`;
    const { running } = await serve(scratch, 'nic', listen);
    const second = await run(scratch, 'serve', 'nic', '--listen', listen);
    expect([second.status, second.stdout]).toEqual([2, '']);
    expect(second.stderr).toMatch(/^vhostlab: --listen: Address unix:\S+ is in use; [^\n]+\n$/);
    process.kill(running.pid, 'SIGKILL');
    await expect(running.exited).rejects.toThrow('SIGKILL');
    expect(existsSync(scratch.file('one.sock'))).toBe(true);
    const third = await serve(scratch, 'nic', listen);
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
    for (const [listen, text] of cases) {
      const stderr = await refusal('nic', '--listen', listen);
      expect(stderr).toMatch(/^[^\n]+\n$/);
      expect(stderr).toContain(`vhostlab: --listen: ${text}`);
    }
  });

  it('refuses a service that there is not, and a missing address', async () => {
    expect(await refusal('router', '--listen', '127.0.0.1:0')).toContain("'router' is invalid");
    expect(await refusal('nic')).toContain("'--listen <address>' not specified");
  });

  it('ends with its parent when asked to', async () => {
    const { running } = await serve(
      scratch,
      'guest',
      `unix:${scratch.file('child.sock')}`,
      '--exit-with-stdin',
    );
    running.child.stdin?.end();
    expect(await running.exited).toBe(0);
  });
});
