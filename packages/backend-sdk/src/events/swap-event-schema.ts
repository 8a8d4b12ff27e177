import { BACKENDS, type SwapEvent } from '@vhostlab/workload';
import { z } from 'zod';
import { picoseconds } from './event-moment.ts';

/** Event `swap`. */
export const swapEventSchema = z.strictObject({
  kind: z.literal('swap'),
  atPs: picoseconds,
  guest: z.int().min(0).max(1),
  to: z.enum(BACKENDS),
  offloads: z.strictObject({ csum: z.boolean(), tso: z.boolean(), mrg: z.boolean() }),
}) satisfies z.ZodType<SwapEvent>;
