import type { RealNode } from '../lab-file/real-schema.ts';
import type { Admission } from './admission.ts';
import type { Machine } from './machine.ts';

/** A thread that never sleeps, and the CPU that it must run on, if there is but one. */
interface Poller {
  node: string;
  cpu: number | undefined;
}

/** The threads of a node that poll. */
function pollersOf(node: RealNode, machine: Machine): Poller[] {
  const one = (cpus: readonly number[] | undefined): Poller[] => [
    { node: node.name, cpu: cpus?.length === 1 ? cpus[0] : undefined },
  ];
  switch (node.kind) {
    case 'qemu':
      return [];
    case 'testpmd':
      return one(node.settings.cpus);
    case 'ovs': {
      const { maxSleepUs, cpus = machine.cpus.slice(-1) } = node.settings;
      return maxSleepUs > 0 ? [] : cpus.map((cpu) => ({ node: node.name, cpu }));
    }
    case 'backend':
      return node.settings.mode === 'poll' ? one(node.settings.cpus?.slice(0, 1)) : [];
  }
}

const MEND = 'let it sleep (maxSleepUs of an ovs, mode: interrupt of a backend)';

/** Whether the CPUs that nodes name are there, and whether every polling thread has one. */
export function admitCores(nodes: readonly RealNode[], machine: Machine, admission: Admission): void {
  const { facts, warnings, refusals } = admission;
  const there = machine.cpus;
  const range = there.join(', ');
  for (const { name, settings } of nodes) {
    const missing = settings.cpus?.filter((cpu) => !there.includes(cpu)) ?? [];
    if (missing.length > 0) {
      refusals.push(
        `${name} asks for CPU ${missing.join(' and ')}, and this machine lets us run on ${range}: name others in cpus`,
      );
    }
  }
  for (const node of nodes) {
    if (node.kind === 'qemu' && node.settings.vcpus > there.length) {
      warnings.push(
        `${node.name} asks for ${node.settings.vcpus} virtual CPUs, and there are ${there.length}`,
      );
    }
  }
  const pollers = nodes.flatMap((node) => pollersOf(node, machine));
  const owner = new Map<number, string>();
  for (const { node, cpu } of pollers) {
    if (cpu === undefined) continue;
    const other = owner.get(cpu);
    if (other !== undefined) {
      const who = other === node ? `two threads of ${node}` : `${other} and ${node}`;
      refusals.push(
        `${who} ask to poll on CPU ${cpu}, where each would wait until the other's time slice ends: give ${node} another CPU, or ${MEND}`,
      );
    }
    owner.set(cpu, node);
  }
  facts.push(`${pollers.length} polling cores of ${there.length} CPUs (${range})`);
  const names = [...new Set(pollers.map(({ node }) => node))].join(', ');
  if (pollers.length > there.length) {
    refusals.push(
      `${names} ask for ${pollers.length} polling cores, and this machine has ${there.length} CPU${there.length === 1 ? '' : 's'}: leave one of them out, or ${MEND}`,
    );
  } else if (pollers.length === there.length) {
    warnings.push(`${names} poll on all ${there.length} CPUs; everything else waits for them`);
  }
}
