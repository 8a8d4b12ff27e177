import type { PluginDefinition } from '@vhostlab/backend-sdk';
import type { BackendName } from '@vhostlab/workload';
import type { BackendChoice } from './plugin-choice.ts';

/** Plugins that were opened, by the place at which they were chosen. */
export type Plugins = ReadonlyMap<string, PluginDefinition>;

/** Plugins and the end of what runs for them, such as a process. */
export interface OpenPlugins {
  readonly plugins: Plugins;
  close(): Promise<void>;
}

/** Opens the plugins at these places. Throws an error of the operator, one sentence. */
export type PluginOpener = (places: readonly string[]) => Promise<OpenPlugins>;

/** One back end of a comparison. */
export interface BackendRow {
  /** What it is called in tables, runs and logs. */
  readonly name: string;
  /** What guest, switch and NIC are joined to. */
  readonly backend: BackendName;
  readonly plugin?: {
    readonly definition: PluginDefinition;
    readonly options: Record<string, unknown>;
  };
}

/** A back end as it is chosen or built in. */
export type BackendLike = BackendName | BackendRow;

/** A back end as a row. */
export function rowOf(backend: BackendLike): BackendRow {
  return typeof backend === 'string' ? { name: backend, backend } : backend;
}

/** Places of the plugins that a comparison has, each once. */
export function pluginPlaces(backends: readonly BackendChoice[]): string[] {
  return [...new Set(backends.flatMap((choice) => (typeof choice === 'string' ? [] : [choice.plugin])))];
}

/** Back ends of a comparison, in the order of its rows. */
export interface Compared {
  readonly backends: readonly BackendChoice[];
}

/** The back ends that are built in, of a comparison. */
export function builtInBackends({ backends }: Compared): BackendName[] {
  return backends.filter((choice) => typeof choice === 'string');
}

/** The name of a back end's row. */
export function rowName(choice: BackendChoice): string {
  return typeof choice === 'string' ? choice : (choice.name ?? choice.plugin);
}

/** Rows of a comparison in order, plugins as they were opened. Throws when one was not. */
export function rowsOf({ backends }: Compared, plugins: Plugins = new Map()): BackendRow[] {
  return backends.map((choice): BackendRow => {
    if (typeof choice === 'string') return rowOf(choice);
    const definition = plugins.get(choice.plugin);
    if (definition === undefined) throw new Error(`the plugin at ${choice.plugin} was not opened`);
    return {
      name: rowName(choice),
      backend: definition.attachesAs,
      plugin: { definition, options: choice.options },
    };
  });
}

/** Why a plugin does not have a capability; undefined when it offers it. */
export function lacks({ definition }: NonNullable<BackendRow['plugin']>, name: string): string | undefined {
  const capability = definition.capabilities([]).find((one) => one.name === name);
  if (capability?.support === 'offered' || capability?.support === 'required') return undefined;
  return capability?.reason ?? `${definition.name} does not offer it`;
}
