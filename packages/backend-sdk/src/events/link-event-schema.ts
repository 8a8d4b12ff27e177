import { z } from 'zod';
import { picoseconds } from './event-moment.ts';

const share = z.number().min(0).max(1);

/** Event `link`. */
export const linkEventSchema = z.strictObject({
  kind: z.literal('link'),
  atPs: picoseconds,
  link: z.literal('wire'),
  delayPs: picoseconds.optional(),
  jitterPs: picoseconds.optional(),
  loss: share.optional(),
  corrupt: share.optional(),
  rateBps: z.number().min(0).max(400e9).optional(),
});
