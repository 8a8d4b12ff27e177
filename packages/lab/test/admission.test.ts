import { describe, expect, it } from 'vitest';
import { admissionLines, demandAdmission } from '../src/admission/admission.ts';
import { admit } from '../src/admission/admit.ts';
import { cpuList, type Machine, thisMachine } from '../src/admission/machine.ts';
import { readLabFile } from '../src/lab-file/read.ts';

const LAB = `schema: 1
name: x
system:
  nodes:
    vm: {kind: qemu}
    sw: {kind: ovs}
    gen: {kind: testpmd, forward: txonly}
    own: {kind: backend, listen: "127.0.0.1:7009"}
    peer: {kind: testpmd}
  links:
    - [vm:vhost0, sw:port0]
    - [gen:vhost0, sw:port1]
    - [peer:vhost0, own:port0]
time: {clock: real}
`;

const MACHINE: Machine = {
  cpus: [0, 1, 2, 3],
  availableMiB: 4000,
  hugepages: { pageMiB: 2, free: 100 },
  isRoot: true,
  temporary: '/tmp',
  kvmProblem: () => undefined,
  has: () => true,
  canRead: () => true,
  missingImagePart: () => undefined,
  listenProblem: async () => undefined,
};

const admission = (text: string, machine: Partial<Machine> = {}) =>
  admit(readLabFile(text, 'x.lab.yaml'), { ...MACHINE, ...machine });

const refused = async (text: string, machine: Partial<Machine> = {}): Promise<string> =>
  (await admission(text, machine)).refusals.join('\n');

describe('admission on the real clock', () => {
  it('tells what is asked and what there is', async () => {
    const admitted = await admission(LAB);
    expect(admissionLines(admitted)).toEqual([
      'admission: 2 polling cores of 4 CPUs (0, 1, 2, 3)',
      'admission: 884 MiB of memory of 4000 MiB available',
      'admission: 160 MiB of huge pages of 200 MiB free (100 of 2 MiB)',
    ]);
    expect(() => demandAdmission(admitted)).not.toThrow();
  });

  it.each([
    [
      'a program',
      LAB,
      { has: (name: string) => name !== 'dpdk-testpmd' },
      "gen asks for dpdk-testpmd, which is not there: install Debian's dpdk-dev",
    ],
    [
      'the image',
      LAB,
      { missingImagePart: () => '/c/vmlinuz' },
      'vm asks for the image linux, and /c/vmlinuz is not there: run tools/peers/install',
    ],
    [
      'a kernel',
      LAB.replace('kind: qemu', 'kind: qemu, kernel: /k'),
      { canRead: () => false },
      'vm asks for kernel: /k, which cannot be read',
    ],
    [
      'KVM',
      LAB.replace('kind: qemu', 'kind: qemu, accel: kvm'),
      { kvmProblem: () => 'is not there' },
      'vm asks for accel: kvm, and /dev/kvm is not there: use accel: tcg',
    ],
    [
      'root',
      LAB,
      { isRoot: false },
      'sw asks for a network namespace of its own, for the interfaces of its bridge, and only root can make one',
    ],
    [
      'a CPU',
      LAB.replace('kind: ovs', 'kind: ovs, cpus: [7]'),
      {},
      'sw asks for CPU 7, and this machine lets us run on 0, 1, 2, 3',
    ],
    [
      'cores',
      LAB,
      { cpus: [0] },
      'gen, peer ask for 2 polling cores, and this machine has 1 CPU: leave one of them out',
    ],
    [
      'memory',
      LAB.replace('kind: qemu', 'kind: qemu, memoryMiB: 9000'),
      {},
      'vm asks for 9100 MiB of memory, all nodes for 9756, and 4000 MiB are available',
    ],
    [
      'huge pages',
      LAB,
      { hugepages: { pageMiB: 2, free: 10 } },
      'sw asks for 160 MiB of huge pages, and 20 MiB are free (10 pages of 2 MiB): as root, echo N > /proc/sys/vm/nr_hugepages with N larger by 70',
    ],
    [
      'a short path',
      LAB,
      { temporary: `/${'t'.repeat(90)}` },
      "whose path has 122 bytes; a Unix socket's has at most 107: set TMPDIR",
    ],
  ] as const)(
    'refuses when the machine lacks %s, and names node, need and mend',
    async (_, text, machine, message) => {
      expect(await refused(text, machine)).toContain(message);
      await expect(admission(text, machine).then(demandAdmission)).rejects.toMatchObject({ exitCode: 2 });
    },
  );

  it('refuses two threads that poll on one CPU, whoever they are', async () => {
    const both = LAB.replaceAll('kind: testpmd', 'kind: testpmd, cpus: [2]');
    expect(await refused(both)).toContain('gen and peer ask to poll on CPU 2, where each would wait');
    const ovs = LAB.replace('kind: ovs', 'kind: ovs, maxSleepUs: 0, cpus: [1]');
    expect(await refused(ovs.replace('kind: backend', 'kind: backend, mode: poll, cpus: [1]'))).toContain(
      'sw and own ask to poll on CPU 1',
    );
    expect(await refused(ovs)).toBe('');
    expect((await admission(LAB, { cpus: [0, 1] })).warnings).toEqual([
      'gen, peer poll on all 2 CPUs; everything else waits for them',
    ]);
  });

  it('refuses a port where somebody listens, on this machine', async () => {
    const { createServer } = await import('node:net');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const { listenProblem } = thisMachine();
    const text = LAB.replace('7009', String(port));
    expect(await refused(text, { listenProblem })).toBe(
      `own asks to listen at 127.0.0.1:${port}, where somebody listens already: name another port in listen`,
    );
    await new Promise((resolve) => server.close(resolve));
    expect(await refused(text, { listenProblem })).toBe('');
  });

  it('knows this machine', () => {
    const { cpus, availableMiB, has } = thisMachine();
    expect(cpus.length).toBeGreaterThan(0);
    expect(availableMiB).toBeGreaterThan(0);
    expect([has('sh'), has('no-such-program')]).toEqual([true, false]);
    expect(cpuList('0-2,5')).toEqual([0, 1, 2, 5]);
  });
});

describe('admission on the virtual clock', () => {
  const services = (placement: string): string => `schema: 1\nname: x\nplacement: ${placement}\n`;

  it('counts processes, and asks for what containers need', async () => {
    expect(admissionLines(await admission(services('process')))).toEqual([
      'admission: 5 processes, about 600 MiB of memory of 4000 MiB available; no polling cores of 4 CPUs',
    ]);
    expect(await refused(services('container'), { has: () => false })).toContain(
      "guest asks for a container, and docker is not there: install Debian's docker.io, or place it as process",
    );
    expect(await refused(services('process'), { availableMiB: 500 })).toContain(
      'ask for about 600 MiB of memory, and 500 MiB',
    );
    expect(await refused(services('embedded'), { temporary: `/${'t'.repeat(90)}` })).toContain('set TMPDIR');
  });
});
