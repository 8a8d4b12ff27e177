import type { Role } from '@vhostlab/contracts';
import { STATION } from '../services/parts.ts';
import { type ModelNodes, modelNodes } from './clocks.ts';
import { durationNs } from './duration.ts';
import type { LinkSettingsText } from './link-settings.ts';
import { checkLinks, type Link } from './links.ts';
import type { LocatedDocument } from './located.ts';
import type { LabFile } from './schema.ts';
import { NODE_KINDS, type NodeKind, type PlacementName, SETTINGS } from './topology-schema.ts';

/** Where one service runs. */
export type Placement = ({ how: PlacementName } | { how: 'endpoint'; address: string }) & {
  /** The back-end service: where the plugins are that it hosts besides the built-in back ends. */
  plugins?: readonly string[];
};

/** A node of the file with the service that it lives in. */
export interface LabNode {
  name: string;
  kind: NodeKind | typeof STATION;
  placement: Placement;
  /** Its settings after inheritance. */
  settings: Readonly<Record<string, unknown>>;
}

/** What a lab is made of, defaults and inheritance applied. */
export interface Topology {
  /** Nodes in the order guest, backend, switch, nic. */
  nodes: readonly LabNode[];
  links: readonly Link[];
  /** Where each of the four services runs; guests of one lab share a service. */
  services: Readonly<Record<Role, Placement> & { [STATION]?: Placement }>;
  /** One way, in nanoseconds; undefined as in the cost profile. */
  wireLatencyNs?: number;
  /** What the wire does to its frames from the start of traffic; undefined: nothing. */
  wireSettings?: LinkSettingsText;
}

/** Nodes of a file that names none: one guest, or two where the workload wants them. */
function usualNodes(file: LabFile): ModelNodes {
  return {
    guest0: { kind: 'guest' },
    ...(file.system.workloads.includes('v2v') ? { guest1: { kind: 'guest' as const } } : {}),
    backend0: { kind: 'backend' },
    switch0: { kind: 'switch' },
    nic0: { kind: 'nic' },
  };
}

/**
 * Makes the topology of a file, and puts the settings of its nodes in the places that `compare` reads (`file.system`).
 * Throws UsageError with the place of the first thing that is wrong.
 */
export function resolveTopology(file: LabFile, located: LocatedDocument): Topology {
  const { system } = file;
  const given = modelNodes(file, located) ?? usualNodes(file);
  const settings = new Map<string, Record<string, unknown>>();
  for (const [name, node] of Object.entries(given)) settings.set(name, settingsOf(name, node, file, located));
  const named = (kind: NodeKind): string[] => Object.keys(given).filter((name) => given[name].kind === kind);
  checkCounts(file, named, located);
  const guests = named('guest');
  for (const other of guests.slice(1)) {
    for (const key of SETTINGS.guest) {
      const [mine, first] = [settings.get(other)?.[key], settings.get(guests[0])?.[key]];
      if (mine !== first) {
        throw located.fault(
          ['system', 'nodes', other],
          `has ${key} ${mine} and ${guests[0]} has ${first}; the guests of a lab are made alike`,
        );
      }
    }
  }
  Object.assign(system.guests, settings.get(guests[0]));
  Object.assign(system.switch, settings.get(named('switch')[0]));
  Object.assign(system.nic, settings.get(named('nic')[0]));
  const placements = placementsOf(file, given, located);
  const station = Object.hasOwn(given, STATION) ? undefined : placements.get(STATION);
  const { links, wireLatencyNs, wireSettings } = checkLinks(
    system.links,
    given,
    system.guests.queues,
    located,
  );
  return {
    nodes: [
      ...NODE_KINDS.flatMap((kind) =>
        named(kind).map((name) => ({
          name,
          kind,
          placement: placements.get(name) as Placement,
          settings: settings.get(name) ?? {},
        })),
      ),
      ...(station === undefined
        ? []
        : [{ name: STATION, kind: STATION, placement: station, settings: {} } as const]),
    ],
    links,
    services: Object.fromEntries([
      ...NODE_KINDS.map((kind) => [kind, placements.get(named(kind)[0])]),
      ...(station === undefined ? [] : [[STATION, station]]),
    ]) as Topology['services'],
    ...(wireLatencyNs === undefined ? {} : { wireLatencyNs: durationNs(wireLatencyNs) }),
    ...(wireSettings === undefined ? {} : { wireSettings }),
  };
}

/** Settings of a node: its own before its group's, those of its kind, the defaults, and the plain sections. */
function settingsOf(
  name: string,
  node: ModelNodes[string],
  { system }: LabFile,
  located: LocatedDocument,
): Record<string, unknown> {
  const { kind, group, ...own } = node;
  const wrong = Object.keys(own).find((key) => !SETTINGS[kind].includes(key));
  if (wrong !== undefined) {
    throw located.fault(
      ['system', 'nodes', name, wrong],
      `a ${kind} has no ${wrong}; ${SETTINGS[kind].length === 0 ? 'it has no settings, its part is chosen below roles' : `it has ${SETTINGS[kind].join(', ')}`}`,
    );
  }
  const groups = system.groups ?? {};
  if (group !== undefined && !Object.hasOwn(groups, group)) {
    throw located.fault(
      ['system', 'nodes', name, 'group'],
      `there is no group "${group}"; ${Object.keys(groups).length === 0 ? 'declare it below system.groups' : `there are ${Object.keys(groups).join(', ')}`}`,
    );
  }
  const plain = { guest: system.guests, backend: {}, switch: system.switch, nic: system.nic }[kind];
  const ofKind = kind === 'backend' ? {} : (system.kinds?.[kind] ?? {});
  const merged: Record<string, unknown> = {
    ...plain,
    ...system.defaults,
    ...ofKind,
    ...(group === undefined ? {} : groups[group]),
    ...own,
  };
  return Object.fromEntries(Object.entries(merged).filter(([key]) => SETTINGS[kind].includes(key)));
}

function checkCounts(file: LabFile, named: (kind: NodeKind) => string[], located: LocatedDocument): void {
  for (const kind of ['backend', 'switch', 'nic'] as const) {
    const names = named(kind);
    if (names.length === 0) {
      throw located.fault(['system', 'nodes'], `has no ${kind}; add one, such as ${kind}0: {kind: ${kind}}`);
    }
    if (names.length > 1) {
      throw located.fault(
        ['system', 'nodes', names[1]],
        `is a second ${kind} beside ${names[0]}; a lab has one, compare them with several labs`,
      );
    }
  }
  const guests = named('guest');
  file.system.workloads.forEach((workload, i) => {
    const wanted = workload === 'v2v' ? 2 : 1;
    const enough = workload === 'v2v' ? guests.length === 2 : guests.length >= 1;
    if (!enough) {
      throw located.fault(
        ['system', 'workloads', i],
        `${workload} takes ${wanted === 1 ? 'a guest' : 'two guests'}; system.nodes has ${guests.join(' and ') || 'none'}`,
      );
    }
  });
  if (guests.length > 1 && !file.system.workloads.includes('v2v')) {
    throw located.fault(
      ['system', 'nodes', guests[1]],
      'is a second guest, which only the workload v2v has; remove it or add v2v',
    );
  }
}

function placementsOf(file: LabFile, given: ModelNodes, located: LocatedDocument): Map<string, Placement> {
  const { placement } = file;
  const rule = typeof placement === 'string' ? { default: placement, nodes: {} } : placement;
  const nodes = rule.nodes ?? {};
  for (const name of Object.keys(nodes)) {
    if (!Object.hasOwn(given, name) && name !== STATION) {
      throw located.fault(
        ['placement', 'nodes', name],
        `there is no node of that name; there are ${[...Object.keys(given), STATION].join(', ')}`,
      );
    }
  }
  const found = new Map<string, Placement>();
  // the station lives with the network card unless the file places it
  const placed = Object.hasOwn(nodes, STATION) ? [STATION] : [];
  if (placed.length > 0 && nodes[STATION] === 'container' && !Object.hasOwn(given, STATION)) {
    throw located.fault(
      ['placement', 'nodes', STATION],
      'the station has no container; it may be embedded, a process, or at an endpoint',
    );
  }
  for (const name of new Set([...Object.keys(given), ...placed])) {
    const own = Object.hasOwn(nodes, name) ? nodes[name] : (rule.default ?? 'embedded');
    found.set(name, typeof own === 'string' ? { how: own } : { how: 'endpoint', address: own.endpoint });
  }
  const [first, ...more] = Object.keys(given).filter((name) => given[name].kind === 'guest');
  for (const other of more) {
    if (JSON.stringify(found.get(other)) !== JSON.stringify(found.get(first))) {
      throw located.fault(
        ['placement', 'nodes', other],
        `is placed elsewhere than ${first}; the guests of a lab share one service`,
      );
    }
  }
  return found;
}
