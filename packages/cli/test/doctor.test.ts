import { describe, expect, it } from 'vitest';
import type { Probes } from '../src/doctor/probes.ts';
import { inspectMachine, renderReport } from '../src/doctor/report.ts';

const FILES: Record<string, string> = {
  '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages': '512\n',
  '/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages': '500\n',
};

const VERSIONS: Record<string, string> = {
  '/usr/bin/qemu-system-x86_64 --version': 'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)',
  '/usr/sbin/ovs-vswitchd --version': 'ovs-vswitchd (Open vSwitch) 3.1.0',
  'dpkg-query -W dpdk': 'dpdk\t22.11.10-0+deb12u1',
};

const INSTALLED: Record<string, string> = {
  'qemu-system-x86_64': '/usr/bin/qemu-system-x86_64',
  'ovs-vswitchd': '/usr/sbin/ovs-vswitchd',
  'dpdk-testpmd': '/usr/bin/dpdk-testpmd',
  docker: '/usr/bin/docker',
};

function probes(changes: Partial<Probes> = {}): Probes {
  return {
    nodeVersion: '24.21.0',
    cpus: () => ({ count: 2, model: 'Test CPU' }),
    memory: () => ({ totalBytes: 8 * 2 ** 30, freeBytes: 3 * 2 ** 29 }),
    readText: async (path) => FILES[path] ?? null,
    list: async () => ['kvm', 'null', 'vhost-vdpa-0', 'vhost-vdpa-7'],
    device: async (path) => (path === '/dev/kvm' ? 'no permission' : 'accessible'),
    find: async (program) => INSTALLED[program] ?? null,
    firstLine: async (program, args) => VERSIONS[[program, ...args].join(' ')] ?? null,
    ...changes,
  };
}

describe('doctor', () => {
  it('reports hugepages, devices and peers with their versions', async () => {
    const report = await inspectMachine(probes());
    expect(report.hugepages).toEqual([
      { size: '2M', configured: 512, free: 500 },
      { size: '1G', configured: 0, free: 0 },
    ]);
    expect(report.devices).toEqual([
      { path: '/dev/kvm', state: 'no permission' },
      { path: '/dev/vhost-net', state: 'accessible' },
      { path: '/dev/vhost-vdpa-0', state: 'accessible' },
      { path: '/dev/vhost-vdpa-7', state: 'accessible' },
    ]);
    expect(report.peers.map(({ name, path, version }) => [name, path, version])).toEqual([
      ['qemu-system-x86_64', '/usr/bin/qemu-system-x86_64', '7.2.22'],
      ['dpdk-testpmd', '/usr/bin/dpdk-testpmd', '22.11.10'],
      ['ovs-vswitchd', '/usr/sbin/ovs-vswitchd', '3.1.0'],
      ['ovs-ofctl', null, null],
      ['tshark', null, null],
      ['docker', '/usr/bin/docker', null],
    ]);
  });

  it('says in words what is missing, too old or silent', async () => {
    const report = await inspectMachine(
      probes({ nodeVersion: '22.1.0', list: async () => [], device: async () => 'missing' }),
    );
    const text = renderReport(report);
    expect(text).toMatch(/^Node +22\.1\.0 \(too old\)$/m);
    expect(text).toMatch(/^\/dev\/vhost-vdpa\* +missing$/m);
    expect(text).toMatch(/^memory +8\.0 GiB, 1\.5 GiB free$/m);
    expect(text).toMatch(/^hugepages 2M +512 configured, 500 free$/m);
    expect(text).toMatch(/^tshark +not installed/m);
    expect(text).toMatch(/^docker +unknown version/m);
  });
});
