import type { MigrateEvent } from '@vhostlab/workload';
import { z } from 'zod';
import { picoseconds } from './event-moment.ts';

/** Event `migrate`. */
export const migrateEventSchema = z.strictObject({
  kind: z.literal('migrate'),
  atPs: picoseconds,
  guest: z.int().min(0).max(1),
  to: z.string().min(1),
  linkBps: z.number().min(1e6).max(400e9),
  linkLatencyPs: picoseconds,
  maxDowntimePs: picoseconds,
  maxRounds: z.int().min(1).max(1000),
  skips: z.array(z.enum(['used-ring-log', 'buffer-log'])).optional(),
}) satisfies z.ZodType<MigrateEvent>;
