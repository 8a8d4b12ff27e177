import type { RealLab } from '../../lab-file/real-lab.ts';
import { isSpare } from '../../lab-file/real-links.ts';
import type { RealNode } from '../../lab-file/real-schema.ts';

/** What a lab on the real clock does to become another one. */
export interface RealPlan {
  /** Nodes that end, those of the old lab. */
  readonly stop: readonly RealNode[];
  readonly start: readonly RealNode[];
  /** Whether what the nodes are asked for is done anew. */
  readonly runs: boolean;
}

/** What makes a node the same: settings, and to what it is joined; what it is asked for can be asked of one that runs. */
function keyOf(node: RealNode, lab: RealLab): string {
  const { run: _, ...settings } = node.settings as RealNode['settings'] & { run?: unknown };
  const joined = lab.links.filter(({ front, back }) => [front.node, back.node].includes(node.name));
  return JSON.stringify([node.kind, settings, joined]);
}

/** What the nodes are asked for. */
function asksOf(lab: RealLab): string {
  return JSON.stringify(
    lab.nodes.map(({ name, kind, settings }) => [name, kind === 'qemu' ? settings.run : []]),
  );
}

/**
 * The steps from `present` to `wanted`. A node that ends takes those with it that are joined to it, because most programs
 * do not take another peer on a socket. Nothing at all when nothing differs.
 */
export function planReal(present: RealLab, wanted: RealLab): RealPlan {
  const changed = new Set<string>();
  for (const node of present.nodes) {
    const next = wanted.nodes.find(({ name }) => name === node.name);
    if (next === undefined || keyOf(next, wanted) !== keyOf(node, present)) changed.add(node.name);
  }
  for (;;) {
    const before = changed.size;
    for (const { front, back } of [...present.links, ...wanted.links]) {
      if (changed.has(front.node) || changed.has(back.node)) changed.add(front.node).add(back.node);
    }
    if (changed.size === before) break;
  }
  // spare back ends are started by a swap
  const running = present.nodes.filter((node) => !isSpare(node, present.links));
  const stop = running.filter(({ name }) => changed.has(name));
  const stays = new Set(running.map(({ name }) => name).filter((name) => !changed.has(name)));
  const start = wanted.nodes.filter((node) => !stays.has(node.name) && !isSpare(node, wanted.links));
  return { stop, start, runs: start.length > 0 || stop.length > 0 || asksOf(present) !== asksOf(wanted) };
}

/** Nodes in the order of their start: those that listen before those that connect to them. */
export function startOrder(nodes: readonly RealNode[], { links }: RealLab): RealNode[][] {
  const names = new Set(nodes.map(({ name }) => name));
  const waitsFor = new Map<string, Set<string>>(nodes.map(({ name }) => [name, new Set()]));
  for (const { front, back, server } of links) {
    const [listener, client] = server === 'front' ? [front.node, back.node] : [back.node, front.node];
    if (names.has(listener) && names.has(client)) waitsFor.get(client)?.add(listener);
  }
  // Open vSwitch connects when its ports are made, which is a step of its own: it may start at any time
  for (const node of nodes) {
    if (node.kind === 'ovs' && node.settings.ports === 'dpdkvhostuserclient')
      waitsFor.get(node.name)?.clear();
  }
  const order: RealNode[][] = [];
  let left = [...nodes];
  while (left.length > 0) {
    const next = left.filter(({ name }) => !left.some((other) => waitsFor.get(name)?.has(other.name)));
    if (next.length === 0) throw new Error('nodes of a lab wait for each other');
    order.push(next);
    left = left.filter((node) => !next.includes(node));
  }
  return order;
}

/** The lines of a plan. */
export function describePlan(plan: RealPlan, wanted: RealLab, asks: readonly string[]): string[] {
  return [
    ...plan.stop.map(({ name, kind }) => `stop ${name} (${kind})`),
    ...startOrder(plan.start, wanted)
      .flat()
      .map(({ name, kind }) => `start ${name} (${kind})`),
    ...(plan.runs ? asks.map((ask) => `run ${ask}`) : []),
  ];
}

/** Everything that the nodes of a lab are asked for, `NODE: WHAT` each. */
export function realAsks(lab: RealLab): string[] {
  return lab.nodes.flatMap((node) => {
    if (node.kind === 'qemu') return node.settings.run.map((command) => `${node.name}: ${command}`);
    if (node.kind !== 'testpmd' || node.settings.frames === undefined) return [];
    const how = node.settings.forward === 'txonly' ? 'sent' : 'received';
    return [`${node.name}: ${node.settings.frames} frames ${how}`];
  });
}
