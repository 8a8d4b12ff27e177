import {
  BACKENDS,
  listWorkloads,
  PAGE_SIZES,
  type PageSize,
  PCIE_LINKS,
  type ScenarioConfig,
  WITHOUT_FEATURES,
} from '@vhostlab/workload';
import { z } from 'zod';
import { eventSchema } from './events/event-schema.ts';

const traffic = z.looseObject({
  kind: z.enum(['udp', 'tcp-stream', 'pcap']),
  packets: z.int().min(1).max(1e9).optional(),
  lineBps: z.number().positive(),
  seed: z.int(),
});

/** A scenario as back ends check it; what traffic consists of is checked where it is made. */
export const scenarioSchema: z.ZodType<ScenarioConfig> = z.strictObject({
  backend: z.enum(BACKENDS),
  plugin: z
    .strictObject({ name: z.string(), options: z.record(z.string(), z.unknown()).optional() })
    .optional(),
  workload: z.enum(listWorkloads().map(({ name }) => name)),
  guests: z.int().min(1).max(2),
  queues: z.int().min(1).max(16),
  ring: z.enum(['split', 'packed']),
  ringSize: z.int().min(2).max(32768),
  pages: z.enum(Object.keys(PAGE_SIZES) as [PageSize]),
  execution: z.enum(['rtc', 'pipeline']),
  guest: z.enum(['interrupt', 'poll']),
  offloads: z.strictObject({ csum: z.boolean(), tso: z.boolean(), mrg: z.boolean() }),
  nic: z.strictObject({ pcie: z.enum(PCIE_LINKS), rateGbps: z.number().min(1).max(400) }),
  without: z.array(z.enum(WITHOUT_FEATURES)).optional(),
  vdpaLacks: z.array(z.enum(['suspend'])).optional(),
  flows: z.array(z.string()),
  traffic,
  capture: z.string().optional(),
  faults: z.array(
    z.strictObject({
      packet: z.int().min(0),
      action: z.enum(['flip', 'shorten', 'unmap']),
      value: z.int().min(0),
    }),
  ),
  events: z.array(eventSchema).optional(),
  seed: z.int().min(0),
}) as unknown as z.ZodType<ScenarioConfig>;

/** The same for plugins made of polled cores: they run to completion. */
export const polledSchema: z.ZodType<ScenarioConfig> = scenarioSchema.refine(
  ({ execution }) => execution === 'rtc',
  { path: ['execution'], message: 'It runs to completion only; use rtc.' },
);
