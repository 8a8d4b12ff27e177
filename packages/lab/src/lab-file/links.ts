import type { ModelNodes } from './clocks.ts';
import { NOT_THE_WIRE } from './events/link.ts';
import { LINK_SETTINGS, type LinkSettingsText } from './link-settings.ts';
import type { LocatedDocument } from './located.ts';
import type { LabFile } from './schema.ts';
import type { NodeKind } from './topology-schema.ts';

/** Two joined ends, `NODE:PORT` each. */
export type Link = readonly [string, string];

type Ends = NodeKind | 'station';

/** Ports by kind; a queue port is `vq` (all queue pairs) or `vqN` (one). The station is the far end of the wire. */
const PORTS: Readonly<Record<Ends, readonly string[]>> = {
  guest: ['vq'],
  backend: ['vq', 'nic', 'upcall'],
  switch: ['upcall'],
  nic: ['host', 'wire'],
  station: ['wire'],
};

/** What joins what, both ways. */
const PARTNERS: Readonly<Record<string, string>> = {
  'guest:vq': 'backend:vq',
  'backend:vq': 'guest:vq',
  'backend:nic': 'nic:host',
  'nic:host': 'backend:nic',
  'backend:upcall': 'switch:upcall',
  'switch:upcall': 'backend:upcall',
  'nic:wire': 'station:wire',
  'station:wire': 'nic:wire',
};

interface End {
  text: string;
  node: string;
  kind: Ends;
  port: string;
  /** Queue pair of a `vqN`; undefined: all of them, or no queue port. */
  queue?: number;
}

/**
 * Checks the links of a file: every end is there and free, joins what belongs to it, and nothing is left out. Without
 * links everything is joined as it must be. Answers them with the wire's latency and what is done to its frames from the
 * start, if those are set. Throws UsageError.
 */
export function checkLinks(
  given: LabFile['system']['links'],
  nodes: ModelNodes,
  queues: number,
  located: LocatedDocument,
): { links: Link[]; wireLatencyNs?: string; wireSettings?: LinkSettingsText } {
  const needed = neededLinks(nodes);
  if (given === undefined) return { links: needed };
  const taken = new Set<string>();
  let wireLatencyNs: string | undefined;
  let wireSettings: LinkSettingsText | undefined;
  const links = given.map((item, i): Link => {
    const path = ['system', 'links', i];
    const [a, b] = (Array.isArray(item) ? item : item.endpoints).map((text) =>
      endOf(text, nodes, queues, (message) => located.fault(path, message)),
    );
    if (PARTNERS[`${a.kind}:${a.port}`] !== `${b.kind}:${b.port}` || a.queue !== b.queue) {
      throw located.fault(
        path,
        `${a.text} is no end for ${b.text}; the ${a.port} of a ${a.kind} joins ${PARTNERS[`${a.kind}:${a.port}`].replace(/(.*):(.*)/, 'the $2 of a $1')}${a.port === 'vq' ? ', of the same number' : ''}`,
      );
    }
    const guest = [a, b].find(({ kind }) => kind === 'guest');
    for (const end of [a, b]) {
      // a back end has its queues once per guest
      const owner = end.kind === 'backend' && guest !== undefined ? `${end.node}/${guest.node}` : end.node;
      const numbers =
        end.port !== 'vq' ? [''] : end.queue === undefined ? [...Array(queues).keys()] : [end.queue];
      for (const number of numbers) {
        const key = `${owner}:${end.port}${number}`;
        if (taken.has(key)) throw located.fault(path, `${end.text} is joined already`);
        taken.add(key);
      }
    }
    const latency = Array.isArray(item) ? undefined : item.latency;
    if (latency !== undefined) {
      if (a.port !== 'wire') {
        throw located.fault(
          [...path, 'latency'],
          'only the wire has a latency of its own; the others take theirs from the cost profile',
        );
      }
      wireLatencyNs = latency;
    }
    for (const key of LINK_SETTINGS) {
      const value = Array.isArray(item) ? undefined : item[key];
      if (value === undefined) continue;
      if (a.port !== 'wire') throw located.fault([...path, key], NOT_THE_WIRE);
      wireSettings = { ...wireSettings, [key]: value };
    }
    return [a.text, b.text];
  });
  for (const [a, b] of needed) {
    const [node, port] = a.split(':');
    const keys = port === 'vq' ? [...Array(queues).keys()].map((q) => `${node}:vq${q}`) : [a];
    const missing = keys.find((key) => !taken.has(key));
    if (missing !== undefined) {
      const far = port === 'vq' ? b.replace('vq', missing.split(':')[1]) : b;
      throw located.fault(['system', 'links'], `${missing} is joined to nothing; add [${missing}, ${far}]`);
    }
  }
  return {
    links,
    ...(wireLatencyNs === undefined ? {} : { wireLatencyNs }),
    ...(wireSettings === undefined ? {} : { wireSettings }),
  };
}

/** Everything that belongs together. */
function neededLinks(nodes: ModelNodes): Link[] {
  const named = (kind: NodeKind): string[] => Object.keys(nodes).filter((name) => nodes[name].kind === kind);
  const [backend, bridge, nic] = [named('backend')[0], named('switch')[0], named('nic')[0]];
  return [
    ...named('guest').map((guest): Link => [`${guest}:vq`, `${backend}:vq`]),
    [`${backend}:upcall`, `${bridge}:upcall`],
    [`${backend}:nic`, `${nic}:host`],
    [`${nic}:wire`, 'station:wire'],
  ];
}

function endOf(text: string, nodes: ModelNodes, queues: number, fault: (message: string) => Error): End {
  const [node, named = '', ...more] = text.split(':');
  if (named === '' || more.length > 0) throw fault(`"${text}" is no end of a link; write NODE:PORT`);
  const kind = node === 'station' ? 'station' : Object.hasOwn(nodes, node) ? nodes[node].kind : undefined;
  if (kind === undefined) {
    throw fault(
      `${text}: there is no node "${node}"; there are ${[...Object.keys(nodes), 'station'].join(', ')}`,
    );
  }
  const numbered = /^vq(\d{1,2})$/.exec(named);
  const port = numbered === null ? named : 'vq';
  if (!PORTS[kind].includes(port)) {
    throw fault(`${text}: a ${kind} has no port "${named}"; it has ${PORTS[kind].join(', ')}`);
  }
  if (numbered === null) return { text, node, kind, port };
  const queue = Number(numbered[1]);
  if (queue >= queues) throw fault(`${text}: the guests have ${queues} queue pairs, vq0 to vq${queues - 1}`);
  return { text, node, kind, port, queue };
}
