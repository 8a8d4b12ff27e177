import { createHash, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Cleanup } from './cleanup.ts';
import { fileAddress, migrateTo } from './migration.ts';
import { netVhost } from './net-vhost.ts';
import { qemuIpxe } from './qemu-ipxe.ts';
import { type QemuLinuxOptions, qemuLinux } from './qemu-linux.ts';

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

it('iPXE sends through net_vhost', async () => {
  const socketPath = cleanup.path('s');
  const back = await cleanup.add(netVhost({ socketPath, mode: 'rxonly' }));
  const qemu = await cleanup.add(qemuIpxe({ socketPath }));
  await back.process.waitUntil(async () => (await back.stats()).rxPackets >= 2, 'iPXE has sent');
  expect(await qemu.qmp.execute('query-status')).toMatchObject({ status: 'running' });
  await expect(qemu.qmp.execute('no-such-command')).rejects.toThrow(/no-such-command/);
});

it('two Linux guests ping and transfer through net_vhost, and one of them is saved and restored', async () => {
  const sockets = [cleanup.path('a'), cleanup.path('b')];
  await cleanup.add(netVhost({ socketPath: sockets, mode: 'io' }));
  const data = randomBytes(4 * 1024 * 1024);
  const machine = (index: number, packed: string): QemuLinuxOptions => ({
    netdevs: [{ socketPath: sockets[index]!, mac: `52:54:00:00:00:0${index + 1}`, device: { packed } }],
    setUp: `ip addr add 10.0.0.${index + 1}/24 dev eth0; ip link set eth0 up`,
    files: { data },
  });
  const [left, right] = await Promise.all([
    cleanup.add(qemuLinux(machine(0, 'off'))),
    cleanup.add(qemuLinux(machine(1, 'on'))),
  ]);
  expect(await left.must('ping -c 2 -W 5 10.0.0.2')).toContain(' 0% packet loss');

  const received = right.must(`nc -l -p 5000 -e sh -c 'sha256sum > /tmp/sum'; cat /tmp/sum`);
  await left.must('until nc 10.0.0.2 5000 < /data; do sleep 0.1; done');
  expect(await received).toContain(createHash('sha256').update(data).digest('hex'));

  const { save, restore } = fileAddress(cleanup.path('state'));
  await left.must('echo before > /tmp/memory');
  expect(await migrateTo(left.qemu, save)).toMatchObject({ status: 'completed' });
  await left.stop();
  expect(statSync(cleanup.path('state')).size).toBeGreaterThan(1024 * 1024);
  const restored = await cleanup.add(qemuLinux({ ...machine(0, 'off'), incoming: restore }));
  await restored.ready();
  expect(await restored.must('cat /tmp/memory')).toBe('before\n');
  expect(await restored.must('ping -c 2 -W 5 10.0.0.2')).toContain(' 0% packet loss');
  expect(await restored.run('exit 3')).toEqual({ status: 3, output: '' });
});
