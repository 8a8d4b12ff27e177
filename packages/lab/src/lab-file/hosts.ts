import { MIGRATION_DEFAULTS } from '@vhostlab/workload';
import { z } from 'zod';
import { durationPs, runTime } from './duration.ts';
import { rateBpsOf } from './link-settings.ts';
import { part } from './part.ts';

const LEAST_BPS = 1e6;
const MOST_BPS = 400e9;

const rate = z
  .string({ error: ({ input }) => `must be a rate such as 25Gbps, not ${JSON.stringify(input)}` })
  .regex(/^\d+(\.\d+)?[MG]bps$/, {
    error: ({ input }) => `must be a rate such as 25Gbps, not "${input}"; units are Mbps and Gbps`,
  })
  .refine((text) => rateBpsOf(text) >= LEAST_BPS && rateBpsOf(text) <= MOST_BPS, {
    error: ({ input }) => `${input} is no rate of a migration link: 1Mbps to 400Gbps`,
  });

/** A host that guests can migrate to: the link over which their memory goes there. */
export const hostSchema = part({
  rate: rate.optional().meta({ description: 'Rate of the migration link to it; without it 25Gbps.' }),
  latency: runTime.optional().meta({ description: 'Its latency, one way; without it 10us.' }),
});

/** Settings of a host. */
export type HostSettings = z.infer<typeof hostSchema>;

/** What a scenario is told of the migration link. */
export function migrationLinkOf({ rate: bits, latency }: HostSettings): {
  linkBps: number;
  linkLatencyPs: number;
} {
  return {
    linkBps: bits === undefined ? MIGRATION_DEFAULTS.linkBps : rateBpsOf(bits),
    linkLatencyPs: latency === undefined ? MIGRATION_DEFAULTS.linkLatencyPs : durationPs(latency),
  };
}
