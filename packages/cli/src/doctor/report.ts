import { nodeVersionFault } from '../../bin/node-version.mjs';
import { renderTable } from '../table.ts';
import { VERSION } from '../version.ts';
import { inspectPeers, type Peer } from './peers.ts';
import type { Probes } from './probes.ts';

/** Hugepages of one size: how many the kernel has set aside and how many of them are free. */
export interface Hugepages {
  readonly size: '2M' | '1G';
  readonly configured: number;
  readonly free: number;
}

/** A device node that some peer can use; `vhost-vdpa*` stands for all of them when there is none. */
export interface Device {
  readonly path: string;
  readonly state: 'accessible' | 'no permission' | 'missing';
}

/** What `vhostlab doctor --json` prints. Sizes are bytes. */
export interface MachineReport {
  readonly vhostlab: string;
  readonly node: { readonly version: string; readonly ok: boolean };
  readonly cpus: { readonly count: number; readonly model: string };
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number };
  readonly hugepages: readonly Hugepages[];
  readonly devices: readonly Device[];
  readonly peers: readonly Peer[];
}

const HUGEPAGE_FOLDERS = [
  ['2M', 'hugepages-2048kB'],
  ['1G', 'hugepages-1048576kB'],
] as const;

/** Asks the machine everything. */
export async function inspectMachine(probes: Probes): Promise<MachineReport> {
  return {
    vhostlab: VERSION,
    node: { version: probes.nodeVersion, ok: nodeVersionFault(probes.nodeVersion) === null },
    cpus: probes.cpus(),
    memory: probes.memory(),
    hugepages: await Promise.all(
      HUGEPAGE_FOLDERS.map(([size, folder]) => inspectHugepages(probes, size, folder)),
    ),
    devices: await inspectDevices(probes),
    peers: await inspectPeers(probes),
  };
}

/** The report as text for a terminal. */
export function renderReport(report: MachineReport): string {
  const { node, cpus, memory } = report;
  const rows: [string, string][] = [
    ['vhostlab', report.vhostlab],
    ['Node', `${node.version}${node.ok ? '' : ' (too old)'}`],
    ['CPUs', `${cpus.count}, ${cpus.model}`],
    ['memory', `${gibibytes(memory.totalBytes)}, ${gibibytes(memory.freeBytes)} free`],
    ...report.hugepages.map(({ size, configured, free }): [string, string] => [
      `hugepages ${size}`,
      `${configured} configured, ${free} free`,
    ]),
    ...report.devices.map(({ path, state }): [string, string] => [path, state]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const peers = renderTable(
    [{ title: 'peer' }, { title: 'version' }, { title: 'used for' }],
    report.peers.map(({ name, path, version, usedFor }) => [
      name,
      path === null ? 'not installed' : (version ?? 'unknown version'),
      usedFor,
    ]),
  );
  return [
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    '',
    peers,
    'Runs in virtual time need none of the devices and peers.\n',
  ].join('\n');
}

async function inspectHugepages(probes: Probes, size: '2M' | '1G', folder: string): Promise<Hugepages> {
  const read = async (file: string): Promise<number> =>
    Number((await probes.readText(`/sys/kernel/mm/hugepages/${folder}/${file}`)) ?? 0);
  return { size, configured: await read('nr_hugepages'), free: await read('free_hugepages') };
}

async function inspectDevices(probes: Probes): Promise<Device[]> {
  const vdpa = (await probes.list('/dev')).filter((name) => name.startsWith('vhost-vdpa'));
  const names = ['kvm', 'vhost-net', ...(vdpa.length > 0 ? vdpa : ['vhost-vdpa*'])];
  return Promise.all(
    names.map(async (name) => ({ path: `/dev/${name}`, state: await probes.device(`/dev/${name}`) })),
  );
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
