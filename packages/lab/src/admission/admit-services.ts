import type { Topology } from '../lab-file/topology.ts';
import { type Admission, newAdmission, socketPathProblem } from './admission.ts';
import type { Machine } from './machine.ts';

/** Memory of a service's process when it starts, in MiB, as measured with `examples/pvp.lab.yaml`. */
const SERVICE_MIB = 120;
const CONTAINER_PROGRAMS = [
  ['docker', 'docker.io'],
  ['docker-compose', 'docker-compose'],
] as const;

/** Whether a machine can have the services of a lab on the virtual clock. They never poll: they need no cores of their own. */
export function admitServices({ services }: Topology, machine: Machine): Admission {
  const admission = newAdmission();
  const { facts, refusals } = admission;
  const roles = Object.entries(services).map(([role, placement]) => ({ role, how: placement.how }));
  const here = roles.filter(({ how }) => how === 'process' || how === 'container');
  for (const { role, how } of here) {
    if (how !== 'container') continue;
    for (const [program, name] of CONTAINER_PROGRAMS) {
      if (!machine.has(program)) {
        refusals.push(
          `${role} asks for a container, and ${program} is not there: install Debian's ${name}, or place it as process`,
        );
      }
    }
  }
  const askedMiB = SERVICE_MIB * (here.length + 1);
  facts.push(
    `${here.length + 1} processes, about ${askedMiB} MiB of memory of ${machine.availableMiB} MiB available; no polling cores of ${machine.cpus.length} CPUs`,
  );
  if (askedMiB > machine.availableMiB) {
    const names = here.map(({ role }) => role).join(', ');
    refusals.push(
      `${names === '' ? 'the lab' : names} ask for about ${askedMiB} MiB of memory, and ${machine.availableMiB} MiB are available: place the services as embedded, or end something`,
    );
  }
  const sockets = ['control.sock', ...here.map(({ role }) => `${role}.sock`)];
  for (const name of sockets) {
    const problem = socketPathProblem(machine.temporary, name.slice(0, -'.sock'.length), name);
    if (problem !== undefined) refusals.push(problem);
  }
  return admission;
}
