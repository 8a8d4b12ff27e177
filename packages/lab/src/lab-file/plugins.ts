import { locateChoice, nameApart } from '../scenario/plugin-choice.ts';
import { pluginPlaces } from '../scenario/rows.ts';
import type { LocatedDocument } from './located.ts';
import type { LabFile } from './schema.ts';
import type { Topology } from './topology.ts';

/**
 * Finds the plugins that `roles.backends` names, from `base`, the folder of the lab file, and puts them into the file
 * and into the placement of the back-end service, which has to be started with them. Throws UsageError with the place
 * of a plugin that is not there, or that cannot be where the service is.
 */
export function resolvePlugins(
  file: LabFile,
  topology: Topology,
  located: LocatedDocument,
  base: string,
): Topology {
  const { backends } = file.roles;
  const { backend } = topology.services;
  const found = backends.map((choice, i) => {
    if (typeof choice === 'string') return choice;
    const at = ['roles', 'backends', i];
    if (backend.how === 'container') {
      throw located.fault(
        at,
        'is a plugin, which no image of ours has; place the back end as embedded, process or endpoint',
      );
    }
    try {
      return locateChoice(choice, base);
    } catch (error) {
      throw located.fault([...at, 'plugin'], (error as Error).message);
    }
  });
  file.roles.backends = nameApart(found);
  const plugins = pluginPlaces(found);
  if (plugins.length === 0) return topology;
  return { ...topology, services: { ...topology.services, backend: { ...backend, plugins } } };
}
