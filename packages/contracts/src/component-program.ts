import type { ComponentPlan } from '@vhostlab/engine';
import { Clock, Severity } from './gen/vhostlab/common/v1/common_pb.ts';
import type { InstanceConfig } from './gen/vhostlab/common/v1/plan_pb.ts';
import type { OwnHello } from './handshake.ts';
import type { Instance, ServiceProgram } from './instance-table.ts';
import { toPlanPart } from './plan-part.ts';

/** A remark on a configuration that keeps the component from being made. */
export interface ConfigFault {
  /** Path of the field, `ringSize`. */
  field: string;
  /** One sentence: what is wrong and how to mend it. */
  summary: string;
}

/** A component of the virtual clock, as its package describes it. */
export interface ComponentDefinition<C> {
  name: string;
  summary: string;
  /** Names of its core modules. */
  modules: readonly string[];
  /** JSON Schema of its configuration, where it has one. */
  configSchemaJson?: string;
  capabilities: ServiceProgram['capabilities'];
  /** What is wrong with a configuration; it is parsed JSON and nothing more. */
  check(config: C): ConfigFault[];
  plan(config: C): ComponentPlan;
}

/**
 * The service program of a component: configuration is JSON, Create answers its plan. `statistics` answers for the
 * run that the process has at the moment.
 */
export function componentProgram<C>(
  definition: ComponentDefinition<C>,
  own: Pick<OwnHello, 'instanceId' | 'processId'>,
  statistics: Instance['statistics'],
): ServiceProgram {
  const version = { major: 0, minor: 1, patch: 0 };
  const faults = (config: InstanceConfig): ConfigFault[] => {
    let parsed: unknown;
    try {
      parsed = JSON.parse(config.configJson);
    } catch (error) {
      return [{ field: 'config_json', summary: `It is not JSON: ${(error as Error).message}.` }];
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      return [{ field: 'config_json', summary: 'It is JSON, but not an object.' }];
    }
    return definition.check(parsed as C);
  };
  return {
    hello: { ...own, name: definition.name, version, clocks: [Clock.VIRTUAL] },
    description: {
      name: definition.name,
      summary: definition.summary,
      version,
      modules: [...definition.modules],
      configSchemaJson: definition.configSchemaJson ?? '',
    },
    capabilities: definition.capabilities,
    validate: (config) =>
      faults(config).map(({ field, summary }) => ({ severity: Severity.ERROR, field, summary })),
    create: (config) => ({
      plan: toPlanPart(definition.plan(JSON.parse(config.configJson) as C)),
      statistics,
    }),
  };
}
