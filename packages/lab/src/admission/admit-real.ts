import type { RealLab } from '../lab-file/real-lab.ts';
import { isSpare } from '../lab-file/real-links.ts';
import type { RealNode } from '../lab-file/real-schema.ts';
import { type KnownProgram, OVS_SCHEMA, OVS_SWITCH, PACKAGES } from '../real-nodes/programs.ts';
import { type Admission, newAdmission, socketPathProblem } from './admission.ts';
import { admitCores } from './admit-cores.ts';
import type { Machine } from './machine.ts';

const ALWAYS = ['setpriv'] as const;
const PROGRAMS: Readonly<Record<RealNode['kind'], readonly KnownProgram[]>> = {
  qemu: ['qemu-system-x86_64'],
  testpmd: ['dpdk-testpmd', 'stdbuf'],
  ovs: ['ovsdb-tool', 'ovsdb-server', 'ovs-vsctl', 'ovs-ofctl', OVS_SWITCH, OVS_SCHEMA, 'unshare'],
  backend: [],
};
/** Files of a node that must be there, by setting. */
const FILES = ['kernel', 'initrd', 'disk'] as const;
/** What a program needs besides the memory that its node asks for, in MiB. */
const OWN_MIB: Readonly<Record<RealNode['kind'], number>> = {
  qemu: 100,
  testpmd: 50,
  ovs: 100,
  backend: 200,
};

/** Whether a machine has what the nodes of a lab on the real clock ask for; `names`: those that are to be started. */
export async function admitReal(
  lab: RealLab,
  machine: Machine,
  names: ReadonlySet<string> = new Set(lab.nodes.map(({ name }) => name)),
): Promise<Admission> {
  const admission = newAdmission();
  // those that run already have their memory; cores are shared with them
  const nodes = lab.nodes.filter((node) => !isSpare(node, lab.links));
  const starting = nodes.filter(({ name }) => names.has(name));
  for (const node of starting) admitPrograms(node, machine, admission);
  admitCores(nodes, machine, admission);
  admitMemory(starting, machine, admission);
  for (const node of starting) await admitPorts(node, machine, admission);
  return admission;
}

function admitPrograms(node: RealNode, machine: Machine, { refusals }: Admission): void {
  const { name, kind } = node;
  const needed = [
    ...ALWAYS,
    ...PROGRAMS[kind],
    ...(kind === 'qemu' && node.settings.cpus !== undefined ? (['taskset'] as const) : []),
  ];
  for (const program of needed) {
    if (!machine.has(program)) {
      refusals.push(`${name} asks for ${program}, which is not there: install Debian's ${PACKAGES[program]}`);
    }
  }
  if (kind === 'ovs' && !machine.isRoot) {
    refusals.push(
      `${name} asks for a network namespace of its own, for the interfaces of its bridge, and only root can make one: run vhostlab with sudo`,
    );
  }
  if (kind !== 'qemu') return;
  const { accel, kernel, disk } = node.settings;
  const kvm = accel === 'kvm' ? machine.kvmProblem() : undefined;
  if (kvm !== undefined) {
    refusals.push(`${name} asks for accel: kvm, and /dev/kvm ${kvm}: use accel: tcg, or a machine with KVM`);
  }
  for (const key of FILES) {
    const path = node.settings[key];
    if (path !== undefined && !machine.canRead(path)) {
      refusals.push(`${name} asks for ${key}: ${path}, which cannot be read: name another file`);
    }
  }
  const missing = kernel === undefined && disk === undefined ? machine.missingImagePart() : undefined;
  if (missing !== undefined) {
    refusals.push(
      `${name} asks for the image linux, and ${missing} is not there: run tools/peers/install of the repository, set VHOSTLAB_PEERS_CACHE to where it put it, or give a kernel or disk of your own`,
    );
  }
}

function admitMemory(nodes: readonly RealNode[], machine: Machine, { facts, refusals }: Admission): void {
  const asks = nodes.map((node) => {
    const askedMiB = node.kind === 'backend' ? 0 : node.settings.memoryMiB;
    const isHuge = node.kind === 'ovs' || (node.kind !== 'backend' && node.settings.hugepages);
    return {
      name: node.name,
      askedMiB,
      hugeMiB: isHuge ? askedMiB : 0,
      ownMiB: OWN_MIB[node.kind] + (isHuge ? 0 : askedMiB),
    };
  });
  const { pageMiB, free } = machine.hugepages;
  const memory = asks.reduce((sum, { ownMiB }) => sum + ownMiB, 0);
  const freeMiB = free * pageMiB;
  const huge = asks.filter(({ hugeMiB }) => hugeMiB > 0);
  const hugeMiB = huge.reduce((sum, ask) => sum + ask.hugeMiB, 0);
  facts.push(`${memory} MiB of memory of ${machine.availableMiB} MiB available`);
  if (memory > machine.availableMiB) {
    const most = asks.reduce((a, b) => (b.ownMiB > a.ownMiB ? b : a));
    refusals.push(
      `${most.name} asks for ${most.ownMiB} MiB of memory, all nodes for ${memory}, and ${machine.availableMiB} MiB are available: give it a smaller memoryMiB, or end something`,
    );
  }
  if (huge.length === 0) return;
  facts.push(`${hugeMiB} MiB of huge pages of ${freeMiB} MiB free (${free} of ${pageMiB} MiB)`);
  if (hugeMiB <= freeMiB) return;
  const who = huge.map((ask) => `${ask.name} asks for ${ask.hugeMiB} MiB of huge pages`).join(', ');
  const mend =
    pageMiB === 0
      ? 'this kernel has none'
      : `as root, echo N > /proc/sys/vm/nr_hugepages with N larger by ${Math.ceil((hugeMiB - freeMiB) / pageMiB)} than now, or give a smaller memoryMiB`;
  refusals.push(`${who}, and ${freeMiB} MiB are free (${free} pages of ${pageMiB} MiB): ${mend}`);
}

async function admitPorts(node: RealNode, machine: Machine, { refusals }: Admission): Promise<void> {
  const longest = { qemu: 'serial.sock', testpmd: 'vhost0', ovs: 'vswitchd.ctl', backend: 'port0' }[
    node.kind
  ];
  const problem = socketPathProblem(machine.temporary, node.name, `${node.name}/${longest}`);
  if (problem !== undefined) refusals.push(problem);
  if (node.kind !== 'backend' || node.settings.listen === undefined) return;
  const { listen } = node.settings;
  const [, host, port] = /^(.*):(\d+)$/.exec(listen) ?? [];
  if (host === undefined) return;
  const busy = await machine.listenProblem(host.replace(/^\[(.*)\]$/, '$1'), Number(port));
  if (busy !== undefined) {
    const why =
      busy === 'EADDRINUSE' ? 'where somebody listens already' : `where nobody can listen (${busy})`;
    refusals.push(`${node.name} asks to listen at ${listen}, ${why}: name another port in listen`);
  }
}
