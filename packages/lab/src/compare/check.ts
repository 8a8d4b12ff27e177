import { backendHost } from '@vhostlab/backend-sdk';
import { buildScenario, type Capture } from '../scenario/build.ts';
import { type CompareOptions, FLAGS, UsageError } from '../scenario/options.ts';
import { builtInBackends, type Plugins, rowsOf } from '../scenario/rows.ts';
import { PLUGINS, ROLES, SERVICES } from '../services/registry.ts';

/**
 * Asks each service of this build about every scenario of a comparison, before anything is made of it; rows of plugins
 * are left out when the plugins are not given. Throws UsageError, one sentence that names the option and what the
 * service says of it.
 */
export function checkScenarios(
  options: CompareOptions,
  capture: Capture | undefined,
  plugins?: Plugins,
): void {
  if (capture !== undefined && options.workloads.includes('stream')) {
    throw new UsageError('--workload: stream makes its own traffic; leave it out or leave the capture out');
  }
  const rows = plugins === undefined ? builtInBackends(options) : rowsOf(options, plugins);
  const backend = plugins === undefined ? SERVICES.backend : backendHost([...PLUGINS, ...plugins.values()]);
  for (const workload of options.workloads) {
    for (const row of rows) {
      const config = buildScenario(row, workload, options, capture);
      for (const role of ROLES) {
        const { definition } = role === 'backend' ? backend : SERVICES[role];
        const [fault] = definition.check(config);
        if (fault !== undefined) throw new UsageError(`${optionOf(fault.field)}: ${fault.summary}`);
      }
    }
  }
}

function optionOf(field: string): string {
  return field === 'flows' ? FLAGS.flowTable : (FLAGS[field as keyof CompareOptions] ?? field);
}
