import type { LocatedDocument } from './located.ts';
import type { RealNode } from './real-schema.ts';
import type { LabFile } from './schema.ts';

/** One end of a link: device number `index` of a node. */
export interface RealEnd {
  readonly node: string;
  readonly port: string;
  readonly index: number;
}

/** A vhost-user socket between a front end and a back end. */
export interface RealLink {
  /** As the file has them. */
  readonly ends: readonly [string, string];
  readonly front: RealEnd;
  readonly back: RealEnd;
  /** Who listens; the other one connects. */
  readonly server: 'front' | 'back';
}

/** Most devices of one node. */
const MAX_DEVICES = 8;

type Side = 'front' | 'back';

/** Which side of vhost-user a node is. */
export function sideOf(node: RealNode): Side {
  if (node.kind === 'testpmd') return node.settings.device === 'virtio-user' ? 'front' : 'back';
  return node.kind === 'qemu' ? 'front' : 'back';
}

/** Whether a node waits to be swapped in: a back end of ours without links, which is not started before. */
export function isSpare(node: RealNode, links: readonly RealLink[]): boolean {
  return node.kind === 'backend' && !links.some(({ back }) => back.node === node.name);
}

/** Name of the ports of a node, without the number. */
function portName(node: RealNode): string {
  return node.kind === 'qemu' || node.kind === 'testpmd' ? 'vhost' : 'port';
}

/**
 * Joins the nodes of a lab: every link has a front end and a back end, ports are numbered from 0 and used once, and no
 * node is left alone. The back end listens, unless it is one that only connects. Throws UsageError with the place.
 */
export function joinReal(
  given: LabFile['system']['links'],
  nodes: readonly RealNode[],
  located: LocatedDocument,
): RealLink[] {
  const taken = new Map<string, Set<number>>(nodes.map(({ name }) => [name, new Set()]));
  const links = (given ?? []).map((item, i): RealLink => {
    const path = ['system', 'links', i];
    const ends = Array.isArray(item) ? item : item.endpoints;
    const more = Array.isArray(item) ? [] : Object.keys(item).filter((key) => key !== 'endpoints');
    if (more.length > 0) {
      throw located.fault(
        [...path, more[0]],
        'a vhost-user socket has no settings; put a plugin into a backend to delay or drop frames',
      );
    }
    const [a, b] = ends.map((text) => endOf(text, nodes, (message) => located.fault(path, message)));
    const sides = [sideOf(a.owner), sideOf(b.owner)];
    if (sides[0] === sides[1]) {
      throw located.fault(
        path,
        `${ends[0]} and ${ends[1]} are both ${sides[0]} ends of vhost-user; join a qemu or virtio-user to an ovs, a backend or a net_vhost`,
      );
    }
    for (const { owner, end } of [a, b]) {
      const used = taken.get(owner.name) as Set<number>;
      if (used.has(end.index)) throw located.fault(path, `${end.node}:${end.port} is joined already`);
      used.add(end.index);
    }
    const [front, back] = sides[0] === 'front' ? [a, b] : [b, a];
    const connects = back.owner.kind === 'ovs' && back.owner.settings.ports === 'dpdkvhostuserclient';
    return {
      ends: [ends[0], ends[1]],
      front: front.end,
      back: back.end,
      server: connects ? 'front' : 'back',
    };
  });
  for (const node of nodes) {
    const used = taken.get(node.name) as Set<number>;
    const name = portName(node);
    const missing = [...Array(Math.max(1, used.size)).keys()].find((index) => !used.has(index));
    if (missing !== undefined && !isSpare(node, links)) {
      const what =
        used.size === 0
          ? 'is joined to nothing; add a link'
          : 'has a gap in its ports, which are numbered from 0; join';
      throw located.fault(['system', 'nodes', node.name], `${what} ${node.name}:${name}${missing}`);
    }
    checkLists(node, used.size, located);
  }
  checkMacs(nodes, located);
  return links;
}

function endOf(
  text: string,
  nodes: readonly RealNode[],
  fault: (message: string) => Error,
): { owner: RealNode; end: RealEnd } {
  const [name, port = '', ...more] = text.split(':');
  if (port === '' || more.length > 0) throw fault(`"${text}" is no end of a link; write NODE:PORT`);
  const owner = nodes.find((node) => node.name === name);
  if (owner === undefined) {
    throw fault(
      `${text}: there is no node "${name}"; there are ${nodes.map((node) => node.name).join(', ')}`,
    );
  }
  const own = portName(owner);
  const index = Number(new RegExp(`^${own}(\\d)$`).exec(port)?.[1] ?? -1);
  if (index < 0 || index >= MAX_DEVICES) {
    throw fault(`${text}: a ${owner.kind} has no port "${port}"; it has ${own}0 to ${own}${MAX_DEVICES - 1}`);
  }
  if (index > 0 && owner.kind === 'backend' && owner.settings.port.startsWith('tap:')) {
    throw fault(`${text}: a tap belongs to one device; join ${name}:port0 alone, or use port: switch`);
  }
  return { owner, end: { node: name, port, index } };
}

function checkLists(node: RealNode, devices: number, located: LocatedDocument): void {
  for (const key of ['mac', 'address'] as const) {
    const value = (node.settings as Partial<Record<string, unknown>>)[key];
    const count = Array.isArray(value) ? value.length : value === undefined ? 0 : 1;
    if (count > devices) {
      throw located.fault(
        ['system', 'nodes', node.name, key],
        `names ${count}, and ${node.name} has ${devices} device${devices === 1 ? '' : 's'}`,
      );
    }
  }
}

function checkMacs(nodes: readonly RealNode[], located: LocatedDocument): void {
  const owner = new Map<string, string>();
  for (const node of nodes) {
    const { mac } = node.settings as { mac?: string | string[] };
    for (const address of mac === undefined ? [] : [mac].flat()) {
      const other = owner.get(address);
      if (other !== undefined) {
        throw located.fault(
          ['system', 'nodes', node.name, 'mac'],
          `${address} belongs to ${other} already; every device needs its own, or leave it out`,
        );
      }
      owner.set(address, node.name);
    }
  }
}
