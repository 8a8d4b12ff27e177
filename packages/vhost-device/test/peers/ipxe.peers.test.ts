import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Cleanup, qemuIpxe, requireProgram, vhostlabBackend } from '../../../../tools/peers/index.ts';

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

/** One line per frame of a capture: the source's address, and what tshark takes it for. */
function frames(file: string): string[] {
  const text = execFileSync(
    requireProgram('tshark'),
    ['-n', '-r', file, '-T', 'fields', '-e', 'eth.src', '-e', '_ws.col.Protocol', '-e', '_ws.col.Info'],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  return text.trimEnd().split('\n');
}

/** Whether a capture has a DHCP message: the cookie of its options (RFC 2131, 3) is nowhere else. */
function hasDhcp(file: string): boolean {
  return existsSync(file) && readFileSync(file).includes(Buffer.from([99, 130, 83, 99]));
}

it('frames of iPXE arrive, whole and from the address of its device', async () => {
  const socketPath = cleanup.path('s');
  const capture = cleanup.path('out.pcapng');
  const mac = '52:54:00:aa:bb:cc';
  const backend = await cleanup.add(vhostlabBackend({ socketPath, port: `pcap:${capture}` }));
  const qemu = await cleanup.add(qemuIpxe({ socketPath, mac }));
  await backend.waitUntil(() => hasDhcp(capture), 'iPXE has asked for an address');
  await qemu.stop();
  backend.signal('SIGTERM');
  await backend.exit;
  const seen = frames(capture);
  expect(seen.every((line) => line.startsWith(mac))).toBe(true);
  expect(seen.some((line) => line.includes('DHCP Discover'))).toBe(true);
  expect(seen.some((line) => /Malformed|bad checksum/i.test(line))).toBe(false);
  expect(backend.output()).not.toMatch(/refused|broken/);
});

it('QEMU as the listening side takes a new back end each time the old one was killed', async () => {
  const socketPath = cleanup.path('s');
  const qemu = await cleanup.add(qemuIpxe({ socketPath, server: true }));
  for (const life of [1, 2]) {
    const capture = cleanup.path(`out${life}.pcapng`);
    const backend = await cleanup.add(vhostlabBackend({ socketPath, client: true, port: `pcap:${capture}` }));
    if (life === 1) await qemu.ready();
    await backend.waitUntil(() => hasDhcp(capture), `iPXE has asked back end ${life} for an address`);
    expect(backend.output()).not.toMatch(/refused|broken/);
    await backend.kill();
  }
  expect(await qemu.qmp.execute('query-status')).toMatchObject({ status: 'running' });
});
