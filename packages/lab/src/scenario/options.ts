import {
  BACKENDS,
  listWorkloads,
  PAGE_SIZES,
  PCIE_LINKS,
  parseFrameSizes,
  parseRate,
  WITHOUT_FEATURES,
} from '@vhostlab/workload';
import { z } from 'zod';
import { labEventSchema } from '../lab-file/events/lab-event.ts';
import { describeIssue } from './describe-issue.ts';
import { pluginChoiceSchema } from './plugin-choice.ts';
import { type BackendLike, lacks, rowName, rowOf } from './rows.ts';

const workloads = listWorkloads().map(({ name }) => name);

function understood<T>(parse: (text: string) => T) {
  return (text: string, context: z.RefinementCtx): void => {
    try {
      parse(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  };
}

/** Most packets that a run may have. */
export const MAX_PACKETS = 1e9;

const backendName = z.enum(BACKENDS, {
  error: ({ input }) => `back end "${input}" is unknown; there are ${BACKENDS.join(', ')}`,
});

/** A built-in back end by its name, or a plugin by where it is. */
const backendChoice = z.union([backendName, pluginChoiceSchema], {
  error: ({ input }) =>
    typeof input === 'string'
      ? `back end "${input}" is unknown; there are ${BACKENDS.join(', ')}, and plugins: {plugin: FOLDER}`
      : undefined,
});

/** What `compare` is asked for; unknown keys are refused by name. Defaults that depend on the workload stay open. */
export const compareOptionsSchema = z.strictObject({
  workloads: z
    .array(
      z.enum(workloads, {
        error: ({ input }) => `workload "${input}" is unknown; there are ${workloads.join(', ')}`,
      }),
    )
    .min(1)
    .default(['pvp', 'rr']),
  backends: z
    .array(backendChoice)
    .min(1)
    .default([...BACKENDS]),
  packets: z
    .int({ error: 'packets must be a whole number' })
    .min(1, { error: 'packets must be at least 1' })
    .max(MAX_PACKETS, { error: ({ input }) => `${input} packets are too many; at most 10^9` })
    .optional(),
  size: z.string().superRefine(understood(parseFrameSizes)).default('64'),
  rate: z
    .string()
    .superRefine(understood((text) => parseRate(text, 1e9)))
    .optional(),
  flows: z.int().min(0).max(4_000_000).default(1),
  queues: z
    .int()
    .min(1, { error: 'queues must be 1 to 16' })
    .max(16, { error: 'queues must be 1 to 16' })
    .default(1),
  ring: z.enum(['split', 'packed']).default('split'),
  ringSize: z.int().min(2).max(32768).default(256),
  pages: z.enum(Object.keys(PAGE_SIZES) as [keyof typeof PAGE_SIZES]).default('2M'),
  execution: z.enum(['rtc', 'pipeline']).default('rtc'),
  guest: z.enum(['interrupt', 'poll']).optional(),
  pcie: z.enum(PCIE_LINKS).default('gen4x16'),
  rateGbps: z.number().min(1).max(400).default(25),
  /** vhost-user: offer checksum and TSO to the guest; the others always do. */
  vhostUserOffloads: z.boolean().default(false),
  /** Features that the guest's device does not offer; in lab files only. */
  without: z.array(z.enum(WITHOUT_FEATURES)).min(1).optional(),
  /** What the vDPA device cannot do; in lab files only. */
  vdpaLacks: z
    .array(z.enum(['suspend']))
    .min(1)
    .optional(),
  flowTable: z.array(z.string()).optional(),
  seed: z.int().min(0).default(1),
  profile: z.string().default('reference'),
  placement: z.enum(['embedded', 'process']).default('embedded'),
  /** Sampled packets per scenario; 0 samples none. */
  samples: z.int().min(0).max(1_000_000).default(1000),
  /** What happens to every run, with the usual names of nodes; in lab files only. */
  events: z.array(labEventSchema).max(1000).optional(),
});

/** Options after defaults. */
export type CompareOptions = z.infer<typeof compareOptionsSchema>;
export type CompareOptionsInput = z.input<typeof compareOptionsSchema>;

/** Packets of a workload when none were asked for: enough for a steady state, few enough for seconds. */
export const DEFAULT_PACKETS: Record<CompareOptions['workloads'][number], number> = {
  pvp: 400_000,
  rx: 400_000,
  tx: 200_000,
  v2v: 200_000,
  rr: 2000,
  stream: 20_000,
};

/** Every option as it stands on the command line, for messages. */
export const FLAGS: Readonly<Record<keyof CompareOptions, string>> = {
  workloads: '--workload',
  backends: '--backends',
  packets: '--packets',
  size: '--size',
  rate: '--rate',
  flows: '--flows',
  queues: '--queues',
  ring: '--ring',
  ringSize: '--ring-size',
  pages: '--pages',
  execution: '--execution',
  guest: '--guest',
  pcie: '--pcie',
  rateGbps: '--nic-rate',
  vhostUserOffloads: '--vhost-user-offloads',
  without: 'system.guests.without',
  vdpaLacks: 'system.nic.vdpaLacks',
  flowTable: '--flow',
  seed: '--seed',
  profile: '--profile',
  placement: '--placement',
  samples: '--samples',
  events: 'events',
};

/** A wrong option or file; the message is one sentence that names it and the mend. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly exitCode = 2;
}

/** Checks options; throws UsageError naming the first one that is wrong. */
export function parseCompareOptions(input: unknown): CompareOptions {
  const result = compareOptionsSchema.safeParse(input, { error: describeIssue });
  if (!result.success) {
    const { path, message } = result.error.issues[0];
    const name = path.length > 0 ? `${FLAGS[path[0] as keyof CompareOptions]}: ` : '';
    throw new UsageError(`${name}${message}`);
  }
  const options = result.data;
  const named = { workloads: options.workloads, backends: options.backends.map(rowName) };
  for (const key of ['workloads', 'backends'] as const) {
    const names: readonly string[] = named[key];
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) throw new UsageError(`${FLAGS[key]}: ${twice} is named twice`);
  }
  if (options.ring === 'split' && (options.ringSize & (options.ringSize - 1)) !== 0) {
    throw new UsageError(
      `--ring-size: ${options.ringSize} is no power of two, which a split ring needs; use --ring packed or another size`,
    );
  }
  return options;
}

/** Options that mean nothing to a back end, with the reason; its row says so. */
export function notApplicable(
  like: BackendLike,
  options: CompareOptions,
): { option: string; reason: string }[] {
  const list: { option: string; reason: string }[] = [];
  const { backend, plugin } = rowOf(like);
  if (plugin !== undefined) {
    const wanted = [
      [options.ring === 'packed', '--ring packed', 'rings.packed'],
      [options.execution === 'pipeline', '--execution pipeline', 'execution.pipeline'],
      [options.vhostUserOffloads && backend === 'vhost-user', '--vhost-user-offloads', 'offload.csum'],
    ] as const;
    for (const [isWanted, option, capability] of wanted) {
      const reason = isWanted ? lacks(plugin, capability) : undefined;
      if (reason !== undefined) list.push({ option, reason: `not applicable: ${reason}` });
    }
    return list;
  }
  if (backend === 'vhost-net' && options.ring === 'packed') {
    list.push({
      option: '--ring packed',
      reason: 'not applicable: vhost-net has no packed rings; the row runs split',
    });
  }
  if (backend !== 'vhost-user' && options.execution === 'pipeline') {
    list.push({
      option: '--execution pipeline',
      reason: 'not applicable: only a user-space switch can be cut in two',
    });
  }
  return list;
}
