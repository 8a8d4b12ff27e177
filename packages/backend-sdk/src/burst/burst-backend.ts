import { BurstBridge, type BurstChannel, commonV1, toBinary } from '@vhostlab/contracts';
import type { z } from 'zod';
import { definePlugin, type PluginDefinition } from '../plugin.ts';
import type { PolledCoreConfig } from '../polled/polled-config.ts';
import { polledCore } from '../polled/polled-core.ts';
import { planPolledCores } from '../polled/polled-plan.ts';
import { polledSchema } from '../scenario-schema.ts';
import { BurstForwarder } from './burst-forwarder.ts';
import { RunningBurst } from './burst-instance.ts';
import type { BurstPlugin } from './burst-plugin.ts';

/** A core that hosts a burst plugin. */
interface BurstCoreConfig extends PolledCoreConfig {
  optionsJson: string;
  seed: number;
}

const CLOCKS = { virtual: commonV1.Clock.VIRTUAL, real: commonV1.Clock.REAL } as const;

/** What a host knows of a burst plugin, wherever it runs. */
export interface BurstSource {
  readonly name: string;
  readonly summary: string;
  readonly version: string;
  readonly options: z.ZodType;
  /** The clock of the run; a run on the virtual one ends when its statistics are collected. */
  readonly clock: 'virtual' | 'real';
  /** Opens an instance. Throws PluginFault. */
  open(optionsJson: string, seed: number): BurstChannel;
}

/** A burst plugin in this process: the socket is skipped. */
export function embeddedBurst(
  plugin: BurstPlugin,
  log: (text: string) => void = () => undefined,
): BurstSource {
  const { name, summary, version, optionsSchema } = plugin;
  return {
    name,
    summary,
    version,
    options: optionsSchema,
    clock: 'virtual',
    open: (optionsJson, seed) => {
      const running = new RunningBurst(plugin, JSON.parse(optionsJson), seed, log);
      return {
        id: name,
        exchange: (request) => running.exchange(request),
        statistics: () => toBinary(commonV1.StatisticsSchema, running.statistics()),
        close: () => running.stop(),
      };
    },
  };
}

/** A burst plugin that listens at `address`. Its process must be another one: this one stands still while it waits. */
export function remoteBurst(
  source: Omit<BurstSource, 'open' | 'clock'>,
  address: string,
  { timeoutMs, clock = 'virtual' }: { timeoutMs?: number; clock?: BurstSource['clock'] } = {},
): BurstSource {
  return {
    ...source,
    clock,
    open: (optionsJson, seed) =>
      new BurstBridge(address, { optionsJson, seed, clock: CLOCKS[clock] }, timeoutMs),
  };
}

/**
 * The device plugin that hosts a burst plugin: polled cores handle virtqueues and NIC rings, the burst plugin says where
 * frames go. It offers no checksum or segmentation offload, so that frames are whole.
 */
export function burstBackend(source: BurstSource): PluginDefinition {
  const { name, summary, version, options, clock } = source;
  const module = `${name}/burst`;
  return definePlugin({
    name,
    summary,
    version,
    attachesAs: 'vhost-user',
    configSchema: polledSchema,
    options,
    capabilities: () => [
      { name: 'execution.pipeline', support: 'unsupported', reason: 'a burst plugin runs to completion' },
      { name: 'execution.rtc', support: 'offered' },
      { name: 'offload.csum', support: 'unsupported', reason: 'a burst plugin gets whole frames' },
      { name: 'rings.packed', support: 'offered' },
      { name: 'rings.split', support: 'offered' },
    ],
    plan: (config) =>
      planPolledCores(
        { ...config, offloads: { csum: false, tso: false, mrg: config.offloads.mrg } },
        module,
        {
          optionsJson: JSON.stringify(config.plugin?.options ?? {}),
          seed: config.seed,
        },
      ),
    modules: new Map([
      [
        module,
        polledCore<BurstCoreConfig>((context, pool, output, { optionsJson, seed, pair }) => {
          const channel = source.open(optionsJson, seed + pair);
          return new BurstForwarder(context, pool, output, { name, channel, clock });
        }),
      ],
    ]),
  });
}
