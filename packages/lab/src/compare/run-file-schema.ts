import { z } from 'zod';
import { compareOptionsSchema } from '../scenario/options.ts';

/** `run.json` of a run folder: written when the run starts, and again when it ends. */
export const runFileSchema = z.strictObject({
  schema: z.literal(1).meta({ description: 'Version of this format.' }),
  id: z.string().min(1).meta({ description: 'Name of the run folder.' }),
  state: z.enum(['incomplete', 'complete']).meta({
    description: 'incomplete from the start of the run until everything is written; then complete.',
  }),
  started_at: z.iso.datetime().meta({ description: 'Wall-clock time, UTC.' }),
  finished_at: z.iso.datetime().optional().meta({ description: 'Wall-clock time, UTC; also of a failure.' }),
  error: z.string().min(1).optional().meta({ description: 'Why the run failed.' }),
  command_line: z.array(z.string()).meta({ description: 'Words of the command line after `vhostlab`.' }),
  versions: z.strictObject({
    vhostlab: z.string().min(1),
    node: z.string().min(1),
  }),
  options: compareOptionsSchema.meta({
    description: 'Options with their defaults filled in; those that depend on the workload only when given.',
  }),
  profile: z.string().min(1).meta({ description: 'Name of the cost profile.' }),
  results: z.int().min(0).optional().meta({ description: 'Rows of summary.json.' }),
  event_log_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional()
    .meta({ description: 'SHA-256 of events.vlog.' }),
});

/** What `run.json` holds. */
export type RunFile = z.infer<typeof runFileSchema>;
