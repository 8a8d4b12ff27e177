import { readdir, readFile } from 'node:fs/promises';
import { parseCostProfile } from '@vhostlab/cost-profile';

/** One thing that a lab file or a flag can name. */
export interface CatalogueEntry {
  readonly name: string;
  /** One line for the list. */
  readonly description: string;
}

/** Kinds of things that `vhostlab list` knows. */
export type CatalogueKind = 'backends' | 'profiles' | 'workloads';

/** Where the lists come from: a function per kind, entries in the order in which they are shown. */
export type Catalogue = Readonly<Record<CatalogueKind, () => Promise<readonly CatalogueEntry[]>>>;

const BACKENDS: readonly CatalogueEntry[] = [
  {
    name: 'vhost-net',
    description: 'a kernel worker per queue pair copies between guest and skb; tap, kernel datapath',
  },
  {
    name: 'vhost-user',
    description: 'a polling core of the user-space switch copies between guest and mbuf',
  },
  {
    name: 'vfio',
    description: 'full virtio offload: the NIC itself is the virtio device and reads guest memory by DMA',
  },
  { name: 'vdpa', description: 'the NIC moves the data, the host handles control and may relay doorbells' },
];

const WORKLOADS: readonly CatalogueEntry[] = [
  { name: 'tx', description: 'the guest sends, the station receives' },
  { name: 'rx', description: 'the station sends, the guest receives' },
  { name: 'pvp', description: 'from the wire through the guest and back to the wire' },
  { name: 'v2v', description: 'from one guest to another through the switch' },
  { name: 'rr', description: 'request and response, one at a time: latency' },
  {
    name: 'stream',
    description: 'bulk TCP stream from the guest, segmented by the device where that is negotiated',
  },
];

/** The lists of this installation. A broken profile file throws CostProfileError with its name. */
export const installedCatalogue: Catalogue = {
  backends: async () => BACKENDS,
  profiles: async () => {
    const folder = new URL('../profiles/', import.meta.resolve('@vhostlab/cost-profile'));
    const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort();
    return Promise.all(
      names.map(async (file) => {
        const { name, description } = parseCostProfile(await readFile(new URL(file, folder), 'utf8'), file);
        return { name, description };
      }),
    );
  },
  workloads: async () => WORKLOADS,
};
