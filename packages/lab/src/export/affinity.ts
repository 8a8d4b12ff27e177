import type { Role } from '@vhostlab/contracts';
import type { Topology } from '../lab-file/topology.ts';
import { ROLES } from '../services/registry.ts';
import type { Manifest } from './pod.ts';

/** Overlays that an export brings beside its base. */
export const OVERLAYS = ['one-node', 'spread'] as const;

/** Of 100: how much it matters that two linked services are near each other. A memory channel is the shortest link. */
const WEIGHT_MEMORY = 100;
const WEIGHT_OTHER = 50;

/** Two services that a link of the lab file joins. */
export interface LinkedRoles {
  roles: readonly [Role, Role];
  /** They share the memory of a guest. */
  isMemory: boolean;
}

/** Which services the links of a lab join. */
export function linkedRoles({ nodes, links }: Pick<Topology, 'nodes' | 'links'>): LinkedRoles[] {
  const found = new Map<string, LinkedRoles>();
  for (const link of links) {
    const [a, b] = link.map((end) => {
      const kind = nodes.find(({ name }) => name === end.split(':')[0])?.kind;
      return ROLES.find((role) => role === kind);
    });
    if (a === undefined || b === undefined || a === b) continue;
    const isMemory = link.every((end) => /:vq\d*$/.test(end));
    const key = [a, b].sort().join();
    if (!found.has(key) || isMemory) found.set(key, { roles: [a, b], isMemory });
  }
  return [...found.values()];
}

/**
 * Where a service's pod should be: near those that it has links to. `isShared`: a guest nowhere else than with its back
 * end. Only the guest must, or both would wait for the other to be somewhere.
 */
export function linkAffinity(
  role: Role,
  links: readonly LinkedRoles[],
  name: string,
  isShared: boolean,
): Manifest | undefined {
  const near = links
    .filter(({ roles }) => roles.includes(role))
    .map(({ roles, isMemory }) => ({ isMemory, other: roles.find((each) => each !== role) as Role }));
  if (near.length === 0) return undefined;
  const must = near.filter(({ isMemory }) => isMemory && isShared && role === 'guest');
  const wish = near.filter((each) => !must.includes(each));
  return {
    podAffinity: {
      ...(must.length === 0
        ? {}
        : {
            requiredDuringSchedulingIgnoredDuringExecution: must.map(({ other }) =>
              term(name, { 'vhostlab.dev/service': other }),
            ),
          }),
      ...(wish.length === 0
        ? {}
        : {
            preferredDuringSchedulingIgnoredDuringExecution: wish.map(({ other, isMemory }) => ({
              weight: isMemory ? WEIGHT_MEMORY : WEIGHT_OTHER,
              podAffinityTerm: term(name, { 'vhostlab.dev/service': other }),
            })),
          }),
    },
  };
}

/** Affinity of all services in an overlay: together, or each on a node of its own, whatever their links. */
export function overlayAffinity(overlay: (typeof OVERLAYS)[number], name: string): Manifest {
  const rule = {
    requiredDuringSchedulingIgnoredDuringExecution: [term(name, { 'vhostlab.dev/part': 'service' })],
  };
  return overlay === 'one-node' ? { podAffinity: rule } : { podAffinity: null, podAntiAffinity: rule };
}

function term(name: string, labels: Record<string, string>): Manifest {
  return {
    labelSelector: { matchLabels: { 'vhostlab.dev/lab': name, ...labels } },
    topologyKey: 'kubernetes.io/hostname',
  };
}
