import {
  burstV1,
  ContractError,
  commonV1,
  type Implementation,
  implement,
  implementLifecycle,
  type ServiceProgram,
} from '@vhostlab/contracts';
import { SUPPORT } from '../backend-definition.ts';
import { optionFaults } from '../options.ts';
import { versionOf } from '../plugin.ts';
import { type LogLine, RunningBurst } from './burst-instance.ts';
import type { BurstPlugin } from './burst-plugin.ts';

type TracerProvider = Parameters<typeof implementLifecycle>[2];

/** Both services of a burst plugin, for a server or a local transport. Its calls are traced by `tracerProvider`. */
export function implementBurstPlugin(
  plugin: BurstPlugin,
  own: { instanceId: string; processId: number; log: LogLine; tracerProvider?: TracerProvider },
): Implementation[] {
  const running = new Map<string, { burst: RunningBurst; started: boolean }>();
  const version = versionOf(plugin.version);
  const program: ServiceProgram = {
    hello: {
      instanceId: own.instanceId,
      processId: own.processId,
      name: plugin.name,
      version,
      clocks: [commonV1.Clock.VIRTUAL, commonV1.Clock.REAL],
    },
    description: {
      name: plugin.name,
      summary: plugin.summary,
      version,
      configSchemaJson: plugin.optionsSchemaJson,
    },
    capabilities: (peer) => [
      { name: 'depth.burst', support: commonV1.Support.OFFERED },
      ...(plugin.capabilities?.(peer) ?? []).map(({ name, support, reason, limit }) => ({
        name,
        support: SUPPORT[support],
        reason: reason ?? '',
        limit: BigInt(limit ?? 0),
      })),
    ],
    validate: ({ configJson }) =>
      remarks(plugin, configJson).map((fault) => ({ severity: commonV1.Severity.ERROR, ...fault })),
    create: ({ id, configJson, seed }) => {
      const burst = new RunningBurst(plugin, parse(configJson).value, Number(seed), own.log);
      const entry = { burst, started: false };
      running.set(id, entry);
      return {
        plan: {},
        start: () => {
          entry.started = true;
        },
        stop: () => {
          entry.started = false;
          burst.stop();
        },
        destroy: () => void running.delete(id),
        statistics: () => burst.statistics(),
      };
    },
  };
  const take = ({ id }: burstV1.ExchangeRequest): RunningBurst => {
    const entry = running.get(id);
    if (entry === undefined) throw new ContractError('NOT_FOUND', `There is no instance "${id}".`);
    if (!entry.started)
      throw new ContractError('FAILED_PRECONDITION', `Instance "${id}" is not started; start it first.`);
    return entry.burst;
  };
  const exchange = implement(burstV1.BurstService, {
    async *exchange(requests) {
      for await (const request of requests) {
        const burst = take(request);
        const problem = burst.problem(request);
        if (problem !== null) throw new ContractError('INVALID_ARGUMENT', problem);
        yield burst.answer(request);
      }
    },
  });
  return [implementLifecycle('backend', program, own.tracerProvider), exchange];
}

function parse(json: string): { value: unknown; fault?: string } {
  try {
    return { value: JSON.parse(json === '' ? '{}' : json) };
  } catch (error) {
    return { value: undefined, fault: `It is not JSON: ${(error as Error).message}.` };
  }
}

function remarks(plugin: BurstPlugin, configJson: string): { field: string; summary: string }[] {
  const { value, fault } = parse(configJson);
  if (fault !== undefined) return [{ field: 'config_json', summary: fault }];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ field: 'config_json', summary: 'It is JSON, but not an object.' }];
  }
  return optionFaults(plugin.optionsSchema, value, '');
}
