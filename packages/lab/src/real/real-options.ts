import { parseFrameSizes } from '@vhostlab/workload';
import { z } from 'zod';
import { describeIssue } from '../scenario/describe-issue.ts';
import { UsageError } from '../scenario/options.ts';

/**
 * Workloads that are measured. The guest is our own front end, the station is the back end's port; v2v goes from one guest
 * to another through the project's switch and the back-end plugin of the row.
 */
export const REAL_WORKLOADS = ['tx', 'rx', 'pvp', 'v2v', 'rr'] as const;
export type RealWorkload = (typeof REAL_WORKLOADS)[number];

/** Rows of the measured table, named for what they are. */
export const REAL_BACKENDS = ['vhost-user', 'user-interrupt', 'sw-vdpa', 'vhost-net', 'vdpa'] as const;
export type RealBackend = (typeof REAL_BACKENDS)[number];

const oneOf = <T extends string>(what: string, names: readonly [T, ...T[]]) =>
  z.enum(names, {
    error: ({ input }) =>
      `${what} "${input}" is not measured on the real clock; there are ${names.join(', ')}`,
  });

const schema = z.strictObject({
  workloads: z.array(oneOf('workload', REAL_WORKLOADS)).min(1).default(['pvp', 'v2v', 'rr']),
  backends: z
    .array(oneOf('back end', REAL_BACKENDS))
    .min(1)
    .default([...REAL_BACKENDS]),
  size: z
    .string()
    .superRefine((text, context) => {
      try {
        parseFrameSizes(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
      }
    })
    .default('64'),
  queues: z.int().min(1).max(16).default(1),
  ring: z.enum(['split', 'packed']).default('split'),
  ringSize: z.int().min(2).max(32_768).default(256),
  /** Rounds of every workload and back end, one after the other in turn. */
  repeat: z.int({ error: 'repeat must be a whole number' }).min(1).max(100).default(3),
  /** Seconds that a round is measured. */
  seconds: z.number().min(0.1).max(3600).default(1),
});

export type RealOptions = z.infer<typeof schema>;

const FLAGS: Readonly<Record<keyof RealOptions, string>> = {
  workloads: '--workload',
  backends: '--backends',
  size: '--size',
  queues: '--queues',
  ring: '--ring',
  ringSize: '--ring-size',
  repeat: '--repeat',
  seconds: '--duration',
};

/**
 * Checks what `compare --clock real` is asked for. Throws a UsageError that names the flag; a flag that only means
 * something in virtual time is refused by name.
 */
export function parseRealOptions(input: Record<string, unknown>): RealOptions {
  const result = schema.safeParse(input, { error: describeIssue });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    throw new UsageError(
      `${issue.keys.join(', ')} means nothing with --clock real, which knows ${Object.values(FLAGS).join(', ')}`,
    );
  }
  const flag = FLAGS[issue?.path[0] as keyof RealOptions];
  throw new UsageError(`${flag === undefined ? '' : `${flag}: `}${issue?.message}`);
}
