import { z } from 'zod';
import { linkEventSchema } from './link-event-schema.ts';
import { migrateEventSchema } from './migrate-event-schema.ts';
import { swapEventSchema } from './swap-event-schema.ts';

/** Any event of a scenario; a kind that is not here is refused by name. */
export const eventSchema = z.discriminatedUnion('kind', [
  linkEventSchema,
  migrateEventSchema,
  swapEventSchema,
]);
