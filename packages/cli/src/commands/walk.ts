import { Argument, type Command, Option } from 'commander';
import type { Io } from '../io.ts';
import { VERSION } from '../version.ts';

const BACKENDS = ['vhost-net', 'vhost-user', 'vfio', 'vdpa'];

/**
 * Transmit: a short ring that the guest fills, so that kicks and calls are seen. Receive: one packet at a time.
 * In both the packet that is shown is not the first of its flow.
 */
const TRAFFIC = {
  tx: { workloads: ['tx'], packets: 64, rate: 'unpaced', ringSize: 4 },
  rx: { workloads: ['rx'], packets: 64, rate: '10kpps', ringSize: 256 },
  setup: { workloads: ['tx'], packets: 1, rate: '10kpps', ringSize: 256 },
} as const;

interface WalkFlags {
  show: keyof typeof TRAFFIC;
  ring: string;
  guest: string;
  seed?: string;
  profile: string;
  json?: boolean;
}

export const examples = [
  ['vhostlab walk vhost-net --show tx', 'one packet from skb to wire, step by step, with ring bytes'],
  ['vhostlab walk vdpa --show setup', 'negotiation and memory map'],
] as const;

/** Adds `vhostlab walk`. */
export function register(program: Command, io: Io): void {
  program
    .command('walk')
    .description('tell from a real run how a back end is set up, or how one packet goes through it')
    .addArgument(new Argument('<backend>', 'back end to walk through').choices(BACKENDS))
    .addOption(
      new Option('--show <part>', 'set-up, a transmitted packet or a received one')
        .choices(Object.keys(TRAFFIC))
        .default('tx'),
    )
    .option('--ring <format>', 'split or packed', 'split')
    .option('--guest <mode>', 'interrupt or poll', 'interrupt')
    .option('--seed <n>', 'seed of everything random (default: 1)')
    .option('--profile <name>', 'cost profile, see `vhostlab list profiles`', 'reference')
    .option('--json', 'print one JSON object')
    .action((backend: string, flags: WalkFlags) => run(io, backend, flags));
}

async function run(io: Io, backend: string, flags: WalkFlags): Promise<void> {
  const lab = await import('@vhostlab/lab');
  const { show } = flags;
  const options = lab.parseCompareOptions({
    ...TRAFFIC[show],
    workloads: [...TRAFFIC[show].workloads],
    backends: [backend],
    ring: flags.ring,
    guest: flags.guest,
    profile: flags.profile,
    ...(flags.seed === undefined ? {} : { seed: Number(flags.seed) }),
  });
  const { section, profile } = await record(lab, options, io.interruptible());
  const { renderWalk, walkPacket, walkSetup } = await import('@vhostlab/trace');
  const { describeVhostRequest } = await import('../walk-messages.ts');
  const setup = walkSetup(section, backend, describeVhostRequest);
  const walk = show === 'setup' ? setup : walkPacket(section, backend, show, setup.memory);
  if (flags.json === true) {
    io.out(`${JSON.stringify({ clock: 'virtual', profile, seed: options.seed, ...walk }, null, 2)}\n`);
    return;
  }
  const skipped = lab
    .notApplicable(lab.builtInBackends(options)[0], options)
    .map(({ option, reason }) => `${option}: ${reason}\n`);
  io.out(`${renderWalk(walk)}times are modelled with the cost profile "${profile}"\n${skipped.join('')}`);
}

type LabModule = typeof import('@vhostlab/lab');

/** Runs the scenario in this process with every channel tapped; answers its event log. */
async function record(
  lab: LabModule,
  options: ReturnType<LabModule['parseCompareOptions']>,
  signal: AbortSignal,
) {
  const { compileCostProfile } = await import('@vhostlab/cost-profile');
  const { mergeLog, readLog } = await import('@vhostlab/trace');
  const { startTracing } = await import('../tracing.ts');
  const profile = await (await import('../profiles.ts')).loadProfile(options.profile);
  const [backend] = lab.builtInBackends(options);
  const [workload] = options.workloads;
  const tracing = startTracing('lab', `walk-${backend}`, VERSION);
  const open = lab.openEmbeddedLab(tracing);
  try {
    const input = {
      name: `${workload}/${backend}`,
      config: lab.buildScenario(backend, workload, options, undefined),
      profileJson: JSON.stringify(profile),
      profile: compileCostProfile(profile),
      samplingStride: 1,
      taps: true,
      signal,
    };
    const outcome = await lab.runScenario(open, input);
    try {
      const chunks: Uint8Array[] = [];
      mergeLog([{ name: outcome.name, parts: outcome.parts }], (bytes) => chunks.push(bytes.slice()));
      return { section: readLog(Buffer.concat(chunks)).sections[0], profile: profile.name };
    } finally {
      outcome.close();
    }
  } finally {
    await open.close();
    await tracing.telemetry.shutdown();
  }
}
