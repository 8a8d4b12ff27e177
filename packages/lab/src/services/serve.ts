import { backendHost, type PluginDefinition } from '@vhostlab/backend-sdk';
import { type HostedServices, type HostOptions, hostParts } from './host-parts.ts';
import type { Part } from './parts.ts';
import { SERVICES } from './registry.ts';

export type { HostedServices, Tracing } from './host-parts.ts';

/** Puts parts of a lab and the runtime that executes their cores into this process, with everything loaded. */
export function hostServices(
  parts: readonly Part[],
  options: HostOptions & {
    /** Back ends in place of the built-in ones. */
    plugins?: readonly PluginDefinition[];
  },
): HostedServices {
  const { plugins, ...rest } = options;
  return hostParts(
    parts,
    plugins === undefined ? SERVICES : { ...SERVICES, backend: backendHost(plugins) },
    rest,
  );
}
