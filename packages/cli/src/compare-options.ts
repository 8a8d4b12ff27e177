import { type Command, InvalidArgumentError, Option } from 'commander';
import { keepPlugin, type PluginWord } from './plugin-words.ts';

/** Options of `compare` as commander gives them. */
export interface CompareFlags {
  lab?: string;
  workload?: string[];
  backends?: string[];
  plugin?: PluginWord[];
  pcap?: string;
  size?: string;
  rate?: string;
  flows?: number;
  packets?: number;
  queues?: number;
  ring?: string;
  ringSize?: number;
  pages?: string;
  execution?: string;
  guest?: string;
  pcie?: string;
  nicRate?: number;
  vhostUserOffloads?: boolean;
  flow?: string[];
  seed?: number;
  profile?: string;
  placement?: string;
  samples?: number;
  out?: string;
  clock: 'virtual' | 'real';
  repeat?: number;
  duration?: number;
  json?: boolean;
}

/** Adds the options that say what is run. */
export function addCompareOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--clock <clock>', 'virtual: modelled; real: measured on this machine')
        .choices(['virtual', 'real'])
        .default('virtual'),
    )
    .option('--repeat <n>', 'real clock: rounds of each measurement (default: 3)', number)
    .option('--duration <seconds>', 'real clock: seconds of a round (default: 1)', number)
    .option('--lab <file>', 'lab file to run; options on the command line override it')
    .option(
      '--workload <list>',
      'tx, rx, pvp, v2v, rr, stream (default: pvp for throughput, rr for latency)',
      list,
    )
    .option('--backends <list>', 'vhost-net, vhost-user, vfio, vdpa (default: all)', list)
    .option(
      '--plugin <place[,option=value…]>',
      'a plugin as a row of its own: folder, tarball, package or address; repeat for more',
      keepPlugin,
    )
    .option('--pcap <file>', 'replay the frames of a pcap or pcapng file')
    .option('--size <size>', 'frame size with FCS, imix, or an RFC 6985 genome (default: 64)')
    .option('--rate <rate>', 'line, 50%, 10Mpps, 2.5Gbps or unpaced (default: line)')
    .option('--flows <n>', 'flows that take turns; 0: a new one in every packet (default: 1)', number)
    .option('--packets <n>', 'packets (or transactions) per workload, 1 to 10^9', number)
    .option('--queues <n>', 'queue pairs, each with a vCPU and a host core (default: 1)', number)
    .option('--ring <format>', 'split or packed (default: split)')
    .option('--ring-size <n>', 'entries of a virtqueue (default: 256)', number)
    .option('--pages <size>', '4K, 2M or 1G for guest, host mapping and IOMMU (default: 2M)')
    .option('--execution <model>', 'rtc or pipeline (default: rtc)')
    .option('--guest <mode>', 'interrupt or poll (default: poll, for rr and stream interrupt)')
    .option('--pcie <link>', 'gen3x8, gen3x16 or gen4x16 (default: gen4x16)')
    .option('--nic-rate <gbps>', 'speed of the wire in Gbit/s (default: 25)', number)
    .option('--vhost-user-offloads', 'let vhost-user offer checksum and TSO, as the others do')
    .option('--flow <rule>', 'a flow of the bridge in ovs-ofctl form; repeat for more', collect)
    .option('--seed <n>', 'seed of everything random (default: 1)', number)
    .option('--profile <name>', 'cost profile, see `vhostlab list profiles` (default: reference)')
    .option('--placement <where>', 'embedded or process (default: embedded)')
    .option('--samples <n>', 'packets per workload whose steps are recorded (default: 1000)', number)
    .option('--out <dir>', 'run folder; must not exist (default: a new one below vhostlab-runs)');
}

/** What the lab is asked for, without the keys that were not given. */
export function toCompareInput(flags: CompareFlags): Record<string, unknown> {
  const input = {
    workloads: flags.workload,
    backends: flags.backends,
    size: flags.size,
    rate: flags.rate,
    flows: flags.flows,
    packets: flags.packets,
    queues: flags.queues,
    ring: flags.ring,
    ringSize: flags.ringSize,
    pages: flags.pages,
    execution: flags.execution,
    guest: flags.guest,
    pcie: flags.pcie,
    rateGbps: flags.nicRate,
    vhostUserOffloads: flags.vhostUserOffloads,
    flowTable: flags.flow,
    seed: flags.seed,
    profile: flags.profile,
    placement: flags.placement,
    samples: flags.samples,
  };
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}

/** What is asked of the real clock, under the names of its own options; keys that were not given are left out. */
export function toRealInput(flags: CompareFlags): Record<string, unknown> & { json?: boolean } {
  const { clock: _, repeat, duration, workload, ...rest } = flags;
  const input = { ...rest, workloads: workload, repeat, seconds: duration };
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}

function list(text: string): string[] {
  return text.split(',').map((part) => part.trim());
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new InvalidArgumentError(`"${text}" is no number.`);
  return value;
}

function collect(rule: string, rules: string[] | undefined): string[] {
  return [...(rules ?? []), rule];
}
