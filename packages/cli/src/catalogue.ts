import { PLUGINS } from '@vhostlab/lab';
import { listWorkloads } from '@vhostlab/workload';
import { installedProfiles } from './profiles.ts';

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

/** The lists of this installation. A broken profile file throws CostProfileError with its name. */
export const installedCatalogue: Catalogue = {
  backends: async () => PLUGINS.map(({ name, summary }) => ({ name, description: summary })),
  profiles: async () => (await installedProfiles()).map(({ name, description }) => ({ name, description })),
  workloads: async () => listWorkloads(),
};
