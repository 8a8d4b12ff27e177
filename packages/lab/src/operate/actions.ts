import type { Placement } from '../lab-file/topology.ts';
import type { BackendChoice } from '../scenario/plugin-choice.ts';
import { rowName } from '../scenario/rows.ts';
import { PARTS, type Part } from '../services/parts.ts';
import type { WantedLab } from './state.ts';

/** One step from what is to what shall be. */
export type Action =
  | { do: 'interrupt'; run: string }
  | { do: 'stop'; role: Part; was: Placement }
  | { do: 'start'; role: Part; placement: Placement }
  | { do: 'run'; scenarios: readonly string[] };

/** What a lab has at the moment. */
export interface Present {
  services: ReadonlyMap<Part, Placement>;
  /** Key of what was run or is running; undefined before the first run, and after one that failed. */
  runKey: string | undefined;
  isRunning: boolean;
}

/** What makes two runs the same: everything of the lab but where it runs. */
export function runKeyOf({ description }: WantedLab): string {
  const { placement, ...options } = description.options;
  const { wireLatencyNs } = description.topology;
  return JSON.stringify([options, description.pcap, wireLatencyNs]);
}

/** Scenarios of a lab in order, `pvp/vhost-user`. */
export function scenariosOf({ description }: WantedLab): string[] {
  const { workloads = [], backends = [] } = description.options;
  return workloads.flatMap((workload) =>
    backends.map((backend) => `${workload}/${rowName(backend as BackendChoice)}`),
  );
}

/**
 * The actions that make the lab what is wanted, in order: what runs is interrupted, services that stand elsewhere are
 * stopped, those that are missing started (nic, switch, back end, guest: each after those that it needs), and then
 * everything is run again. None when nothing differs.
 */
export function planActions(present: Present, wanted: WantedLab): Action[] {
  const { services } = wanted.description.topology;
  const same = (role: Part): boolean =>
    JSON.stringify(present.services.get(role)) === JSON.stringify(services[role]);
  const stopped = PARTS.filter((role) => present.services.has(role) && !same(role));
  const started = [...PARTS].reverse().filter((role) => services[role] !== undefined && !same(role));
  const isOther = started.length > 0 || stopped.length > 0 || present.runKey !== runKeyOf(wanted);
  if (!isOther) return [];
  return [
    ...(present.isRunning ? [{ do: 'interrupt' as const, run: 'the present run' }] : []),
    ...stopped.map((role) => ({ do: 'stop' as const, role, was: present.services.get(role) as Placement })),
    ...started.map((role) => ({ do: 'start' as const, role, placement: services[role] as Placement })),
    { do: 'run' as const, scenarios: scenariosOf(wanted) },
  ];
}

/** A placement in a word or two. */
export function placementText(placement: Placement): string {
  return placement.how === 'endpoint' ? `endpoint ${placement.address}` : placement.how;
}

/** The lines of a plan. */
export function describeActions(actions: readonly Action[], { description }: WantedLab): string[] {
  const nodesOf = (role: Part): string =>
    description.topology.nodes
      .filter(({ kind }) => kind === role)
      .map(({ name }) => name)
      .join(' and ');
  return actions.map((action) => actionText(action, nodesOf));
}

/** An action in one line, with the names of the nodes that a service has. */
export function actionText(action: Action, nodesOf: (role: Part) => string): string {
  switch (action.do) {
    case 'interrupt':
      return `interrupt ${action.run}`;
    case 'stop':
      return `${action.was.how === 'endpoint' ? 'leave' : 'stop'} ${nodesOf(action.role)} (${action.role}, ${placementText(action.was)})`;
    case 'start':
      return `${action.placement.how === 'endpoint' ? 'join' : 'start'} ${nodesOf(action.role)} (${action.role}, ${placementText(action.placement)})`;
    case 'run':
      return `run ${action.scenarios.join(', ')}`;
  }
}
