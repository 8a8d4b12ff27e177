/** One thing that a lab file or a flag can name. */
export interface CatalogueEntry {
  readonly name: string;
  /** One line for the list. */
  readonly description: string;
}

/** Kinds of things that `vhostlab list` knows. */
export const CATALOGUE_KINDS = ['backends', 'profiles', 'workloads'] as const;
export type CatalogueKind = (typeof CATALOGUE_KINDS)[number];

/** Where the lists come from: a function per kind, entries in the order in which they are shown. */
export type Catalogue = Readonly<Record<CatalogueKind, () => readonly CatalogueEntry[]>>;

/** The lists of this installation: what the lab can run. */
export async function labCatalogue(): Promise<Catalogue> {
  const lab = (await import('@vhostlab/lab')) as unknown as LabLists;
  return { backends: lab.listBackends, profiles: lab.listProfiles, workloads: lab.listWorkloads };
}

interface LabLists {
  listBackends(): readonly CatalogueEntry[];
  listProfiles(): readonly CatalogueEntry[];
  listWorkloads(): readonly CatalogueEntry[];
}
