import type { LocatedDocument } from './located.ts';
import { REAL_ONLY_KINDS } from './real-schema.ts';
import type { LabFile } from './schema.ts';
import { NODE_KINDS, type NodeKind } from './topology-schema.ts';

type GivenNodes = NonNullable<LabFile['system']['nodes']>;

/** Nodes of a lab on the virtual clock, as the file has them. */
export type ModelNodes = Record<string, Omit<GivenNodes[string], 'kind'> & { kind: NodeKind }>;

/** What stands in for a kind on the other clock, for messages. */
const REAL_INSTEAD: Readonly<Record<string, string>> = {
  guest: 'make it a qemu or a testpmd',
  switch: 'make it an ovs, or a backend, whose switch is ours',
  nic: 'leave it out, guests of one machine are joined by an ovs or a backend',
};

/** The nodes of a file of the virtual clock. Throws UsageError that names the first of a kind that needs real programs. */
export function modelNodes(file: LabFile, located: LocatedDocument): ModelNodes | undefined {
  const { nodes, kinds } = file.system;
  const real: readonly string[] = REAL_ONLY_KINDS;
  for (const [name, { kind }] of Object.entries(nodes ?? {})) {
    if (real.includes(kind)) {
      throw located.fault(
        ['system', 'nodes', name, 'kind'],
        `${name} is a ${kind}, a real program, which cannot run on the virtual clock; add time: {clock: real}, or make it a ${NODE_KINDS.join(', ')}`,
      );
    }
  }
  for (const kind of Object.keys(kinds ?? {})) {
    if (real.includes(kind) || kind === 'backend') {
      throw located.fault(
        ['system', 'kinds', kind],
        `settings of a ${kind} are for the real clock; leave them out, or add time: {clock: real}`,
      );
    }
  }
  return nodes as ModelNodes | undefined;
}

/** Keys that mean nothing on the real clock, and why. */
const VIRTUAL_ONLY: readonly (readonly [path: readonly string[], why: string])[] = [
  [
    ['system', 'workloads'],
    'guests run programs of their own; name them with run of a qemu, or frames of a testpmd',
  ],
  [['system', 'guests'], 'name the settings below system.kinds.qemu'],
  [['system', 'traffic'], 'frames come from guests; see forward of a testpmd'],
  [['system', 'switch'], 'give flows to an ovs or a backend'],
  [['system', 'nic'], 'there is no network card on the real clock'],
  [['system', 'kinds', 'guest'], 'name the settings below system.kinds.qemu'],
  [['system', 'kinds', 'switch'], 'name the settings below system.kinds.ovs'],
  [['system', 'kinds', 'nic'], 'there is no network card on the real clock'],
  [['roles'], 'what a node is says its kind'],
  [['time', 'seed'], 'nothing is drawn on the real clock'],
  [['events'], 'they take effect at moments of virtual time'],
  [['observation'], 'real programs record nothing; put vhostlab vhost-user tap between two of them'],
];

/** Throws UsageError that names the first thing of a file that there is on the virtual clock only. */
export function refuseModels(file: LabFile, located: LocatedDocument): void {
  for (const [path, why] of VIRTUAL_ONLY) {
    if (located.document.hasIn(path)) {
      throw located.fault(path, `is for the virtual clock; leave it out: ${why}`);
    }
  }
  for (const [name, { kind }] of Object.entries(file.system.nodes ?? {})) {
    const instead = REAL_INSTEAD[kind];
    if (instead !== undefined) {
      throw located.fault(
        ['system', 'nodes', name, 'kind'],
        `${name} is a ${kind}, a model that charges costs to virtual time and meets no real program; ${instead}, or leave time.clock virtual`,
      );
    }
  }
  const { placement } = file;
  const isGiven = located.document.has('placement');
  const wanted = typeof placement === 'string' ? placement : undefined;
  if (isGiven && wanted !== 'process') {
    throw located.fault(
      ['placement'],
      'nodes of the real clock are processes of this machine, because they share memory; leave it out or write process',
    );
  }
}
