import { buildScenario, type Capture } from '../scenario/build.ts';
import { type CompareOptions, FLAGS, UsageError } from '../scenario/options.ts';
import { ROLES, SERVICES } from '../services/registry.ts';

/**
 * Asks each service of this build about every scenario of a comparison, before anything is made of it. Throws
 * UsageError, one sentence that names the option and what the service says of it.
 */
export function checkScenarios(options: CompareOptions, capture: Capture | undefined): void {
  if (capture !== undefined && options.workloads.includes('stream')) {
    throw new UsageError('--workload: stream makes its own traffic; leave it out or leave the capture out');
  }
  for (const workload of options.workloads) {
    for (const backend of options.backends) {
      const config = buildScenario(backend, workload, options, capture);
      for (const role of ROLES) {
        const [fault] = SERVICES[role].definition.check(config);
        if (fault !== undefined) throw new UsageError(`${optionOf(fault.field)}: ${fault.summary}`);
      }
    }
  }
}

function optionOf(field: string): string {
  return field === 'flows' ? FLAGS.flowTable : (FLAGS[field as keyof CompareOptions] ?? field);
}
