import type { LabDescription, LabState, Measured } from '@vhostlab/lab';
import type { LabPageData, LabPageLink, LabPageNode } from '@vhostlab/web';

type Link = readonly [string, string];
type Latencies = (port: string) => readonly number[];

/** Classes of latency (cost profile) of a link, by its port and by whether the NIC has the queues. */
const CLASSES: Readonly<Record<string, { software: string; offloaded: string }>> = {
  vq: { software: 'coherent', offloaded: 'dma' },
  nic: { software: 'dma', offloaded: 'dma' },
  upcall: { software: 'netlink', offloaded: 'netlink' },
  wire: { software: 'wire', offloaded: 'wire' },
};
/** Port of the link on which a channel of the run plan travels, by the first word of its id. */
const PORTS: Readonly<Record<string, string>> = {
  vq: 'vq',
  vhost: 'vq',
  nicq: 'nic',
  vdpa: 'nic',
  vfio: 'nic',
  pci: 'nic',
  upcall: 'upcall',
  wire: 'wire',
};
const OFFLOADED: readonly unknown[] = ['vfio', 'vdpa'];

/** The page of a lab file. `constant` is of its cost profile: latencies in ns. */
export function pageOfFile(
  file: string,
  { name, options, topology, real }: LabDescription,
  constant: (name: string) => number | undefined,
): LabPageData {
  const software = (options.backends ?? []).some((backend) => !OFFLOADED.includes(backend));
  const offloaded = (options.backends ?? []).some((backend) => OFFLOADED.includes(backend));
  const latencies: Latencies = (port) => {
    const own = port === 'wire' ? topology.wireLatencyNs : undefined;
    if (real !== undefined) return [];
    if (own !== undefined) return [own];
    const classes = CLASSES[port];
    const wanted = [...(software ? [classes?.software] : []), ...(offloaded ? [classes?.offloaded] : [])].map(
      (latency) => constant(`latency.${latency}.abNs`),
    );
    return [...new Set(wanted.filter((ns) => ns !== undefined))];
  };
  const nodes =
    real === undefined
      ? topology.nodes.map(({ name: node, kind, placement }): LabPageNode => {
          const place = placement.how === 'endpoint' ? `endpoint ${placement.address}` : placement.how;
          return { name: node, kind, place, ...(place === 'embedded' ? { group: place } : {}) };
        })
      : real.nodes.map(({ name: node, kind }): LabPageNode => ({ name: node, kind, place: 'process' }));
  return {
    name,
    clock: real === undefined ? 'virtual' : 'real',
    file,
    nodes,
    links: topology.links.map((ends): LabPageLink => ({ ends, notes: latencyNote(latencies(portOf(ends))) })),
    runs: [],
  };
}

/** The page of a lab that is or was up. */
export function pageOfState(state: LabState): LabPageData {
  const nodes = state.nodes.map(
    ({ name, kind, placement, address, pid, container, state: at }): LabPageNode => {
      const id = container ?? (pid === undefined ? address : String(pid));
      const place = `${placement} ${id}`.trim();
      return { name, kind, place, group: place, state: at };
    },
  );
  return {
    name: state.name,
    clock: state.clock ?? 'virtual',
    phase: state.phase,
    ...(state.error === undefined ? {} : { error: state.error }),
    file: state.file,
    nodes,
    links: state.links.map((ends): LabPageLink => ({ ends, notes: notesOf(state, ends) })),
    runs: state.runs,
    ...(state.measured === undefined ? {} : { measured: state.measured }),
  };
}

/** Latency, what crossed a link between two processes in all runs, and who was blocked on it. */
function notesOf(state: LabState, ends: Link): string[] {
  const channels = (state.measured?.runs ?? []).flatMap((run) =>
    run.channels.filter((channel) => isOn(channel, ends, state)),
  );
  const own = portOf(ends) === 'wire' ? state.wire_latency_ns : undefined;
  const latencies = own === undefined ? channels.map(({ latency_ns }) => latency_ns) : [own];
  const notes = latencyNote([...new Set(latencies)].sort((a, b) => a - b));
  if (channels.length === 0) return notes;
  const sum = (of: (channel: Channel) => number): number =>
    channels.reduce((total, channel) => total + of(channel), 0);
  const kilobytes = sum(({ payload_bytes }) => payload_bytes) / 1000;
  notes.push(`${sum(({ messages }) => messages)} messages, ${kilobytes.toFixed(0)} kB`);
  const processes = [...new Set(channels.flatMap(({ blocked_ms }) => Object.keys(blocked_ms)))].sort();
  for (const process of processes) {
    const ms = sum(({ blocked_ms }) => blocked_ms[process] ?? 0);
    notes.push(`${process} waited ${ms.toFixed(1)} ms`);
  }
  return notes;
}

type Channel = Measured['runs'][number]['channels'][number];

/** True when a channel of a run travels on this link; queues and control channels of guests name theirs by number. */
function isOn({ channel }: Channel, ends: Link, { nodes }: LabState): boolean {
  const [kind, number] = channel.split('.');
  const port = PORTS[kind];
  if (port !== portOf(ends)) return false;
  if (port !== 'vq') return true;
  const guest = nodes.filter((node) => node.kind === 'guest')[Number(number)];
  return guest === undefined || ends.some((end) => end.split(':')[0] === guest.name);
}

/** Port of a link without the number of a queue; where the two ends differ, that of the back end. */
function portOf(ends: Link): string {
  const ports = ends.map((end) => (end.split(':')[1] ?? '').replace(/^vq\d+$/, 'vq'));
  return ports.find((port) => port in CLASSES) ?? ports[0];
}

function latencyNote(ns: readonly number[]): string[] {
  if (ns.length === 0) return [];
  return [ns.map((each) => (each >= 1000 ? `${each / 1000} µs` : `${each} ns`)).join(' or ')];
}
