import type { FrontendOptions, Workload } from '@vhostlab/vhost-driver';
import { type Command, Option } from 'commander';
import { byteCount, mask64, seconds, wholeNumber, wholeNumbers } from './arguments.ts';
import { OperatorError } from './errors.ts';

/** The flags of `vhostlab vhost-user frontend` as commander gives them. */
export interface FrontendFlags {
  socketPath?: string;
  vhostNet?: string;
  server?: boolean;
  reconnect?: boolean;
  inflight?: boolean;
  connectTimeout?: number;
  workload: string;
  packets?: number;
  duration?: number;
  size: string;
  rate?: string;
  flows?: number;
  direction: 'both' | 'send' | 'check';
  window?: number;
  ring: 'split' | 'packed';
  queues: number;
  queueSize: number;
  txLayout: 'one' | 'two' | 'indirect';
  features?: bigint;
  inOrder: boolean;
  mrgRxbuf: boolean;
  indirect?: boolean;
  eventIdx?: boolean;
  csum?: boolean;
  tso?: boolean;
  memory: number;
  hugepages: 'none' | '2M' | '1G';
  regions: number;
  workers: number;
  cpus?: number[];
  wait: 'poll' | 'interrupt';
  burst: number;
  writePcap?: string;
  seed: number;
  json?: boolean;
}

/** Rates in per cent and `line` refer to it. */
const LINE_BPS = 25e9;
const WORKLOADS = 'tx, rx, forward, rr, verify or pcap:FILE';

/** Adds the flags. */
export function addFrontendFlags(command: Command): Command {
  return command
    .option('--socket-path <path>', 'socket of the back end')
    .option('--vhost-net <tap>', "the kernel's /dev/vhost-net and this tap interface in place of a socket")
    .option('--server', 'listen there, and take one back end after the other')
    .option('--reconnect', 'connect again when the back end is gone')
    .option('--inflight', 'the next back end learns from shared memory what the one before had in flight')
    .option(
      '--connect-timeout <seconds>',
      'how long the first back end may take (default: 10, --server: no limit)',
      seconds,
    )
    .option('--workload <what>', `what the guest does: ${WORKLOADS}`, 'tx')
    .option(
      '--packets <n>',
      'end after so many frames (tx, rr, verify: sent; rx: received; forward: sent back)',
      wholeNumber,
    )
    .option('--duration <seconds>', 'end after so long', seconds)
    .option('--size <bytes>', 'frame size with the FCS, a mix, or an RFC 6985 genome', '64')
    .option('--rate <rate>', 'such as 1Mpps or 2.5Gbps; default: as fast as possible, pcap: as captured')
    .option('--flows <n>', 'flows that take turns (default: one per queue pair)', wholeNumber)
    .addOption(
      new Option('--direction <half>', 'verify: both halves, or one, with another front end for the other')
        .choices(['both', 'send', 'check'])
        .default('both'),
    )
    .option(
      '--window <n>',
      'verify: frames under way at once, 0: any number (default: half a ring)',
      wholeNumber,
    )
    .addOption(new Option('--ring <format>', 'ring format').choices(['split', 'packed']).default('split'))
    .option('--queues <n>', 'queue pairs', wholeNumber, 1)
    .option('--queue-size <n>', 'entries of every ring', wholeNumber, 256)
    .addOption(
      new Option(
        '--tx-layout <layout>',
        'header and frame in one descriptor, in two, or in an indirect table',
      )
        .choices(['one', 'two', 'indirect'])
        .default('one'),
    )
    .option('--features <mask>', 'virtio feature bits that may be used at all', mask64)
    .option('--no-in-order', 'do not use VIRTIO_F_IN_ORDER')
    .option('--no-mrg-rxbuf', 'do not use VIRTIO_NET_F_MRG_RXBUF')
    .option('--indirect', 'use VIRTIO_F_INDIRECT_DESC')
    .option('--event-idx', 'use VIRTIO_F_EVENT_IDX')
    .option('--csum', 'use checksum offload')
    .option('--tso', 'use segmentation offload, and send TCP segments of 64 KB')
    .option('--memory <bytes>', 'guest memory, such as 256M', byteCount, 256 * 2 ** 20)
    .addOption(
      new Option(
        '--hugepages <size>',
        'pages of the guest memory; smaller ones, with a warning, when there are none',
      )
        .choices(['none', '2M', '1G'])
        .default('none'),
    )
    .option('--regions <n>', 'regions that the guest memory is cut into', wholeNumber, 1)
    .option('--workers <n>', 'threads that drive the queues', wholeNumber, 1)
    .option('--cpus <list>', 'CPUs of the workers in turn, such as 2,3', wholeNumbers)
    .addOption(
      new Option('--wait <how>', 'poll, or sleep until the back end calls')
        .choices(['poll', 'interrupt'])
        .default('poll'),
    )
    .option('--burst <n>', 'frames handled at once', wholeNumber, 64)
    .option('--write-pcap <file>', 'write received frames into a pcapng file')
    .option('--seed <n>', 'seed of everything random', wholeNumber, 1)
    .option('--json', 'print one JSON object instead of the table');
}

/** The options that the flags stand for; `capture` are the bytes of the file that `pcap:FILE` names. */
export function frontendOptions(flags: FrontendFlags, capture: Uint8Array | undefined): FrontendOptions {
  const { inOrder, mrgRxbuf, indirect, eventIdx = false, csum, tso = false, txLayout } = flags;
  return {
    ...(flags.socketPath === undefined ? {} : { socketPath: flags.socketPath }),
    ...(flags.vhostNet === undefined ? {} : { vhostNet: flags.vhostNet }),
    ...(flags.server === undefined ? {} : { server: flags.server }),
    ...(flags.reconnect === undefined ? {} : { reconnect: flags.reconnect }),
    ...(flags.inflight === undefined ? {} : { inflight: flags.inflight }),
    ...(flags.connectTimeout === undefined ? {} : { connectTimeoutMs: flags.connectTimeout * 1000 }),
    memoryBytes: flags.memory,
    hugePages: flags.hugepages,
    regions: flags.regions,
    queues: flags.queues,
    queueSize: flags.queueSize,
    ring: flags.ring,
    txLayout,
    features: {
      inOrder,
      mrgRxbuf,
      indirect: indirect ?? txLayout === 'indirect',
      eventIdx,
      csum: csum ?? tso,
      tso,
    },
    ...(flags.features === undefined ? {} : { featureMask: flags.features }),
    workload: workloadOf(flags, capture),
    workers: flags.workers,
    ...(flags.cpus === undefined ? {} : { cpus: flags.cpus }),
    wait: flags.wait,
    burst: flags.burst,
    ...(flags.writePcap === undefined ? {} : { writePcap: flags.writePcap }),
  };
}

/** The file of `pcap:FILE`; undefined for other workloads. */
export function captureFile(flags: FrontendFlags): string | undefined {
  return flags.workload.startsWith('pcap:') ? flags.workload.slice('pcap:'.length) : undefined;
}

function workloadOf(flags: FrontendFlags, capture: Uint8Array | undefined): Workload {
  const packets = flags.packets === undefined ? {} : { packets: flags.packets };
  const traffic = {
    kind: 'udp' as const,
    ...packets,
    size: flags.size,
    flows: flags.flows ?? flags.queues,
    ...(flags.rate === undefined ? {} : { rate: flags.rate }),
    lineBps: LINE_BPS,
    seed: flags.seed,
  };
  if (capture !== undefined) return { kind: 'tx', traffic: { ...traffic, kind: 'pcap' }, capture };
  switch (flags.workload) {
    case 'tx':
      return flags.tso === true
        ? { kind: 'tx', traffic: { ...traffic, kind: 'tcp-stream', gso: true, checksumOffload: true } }
        : { kind: 'tx', traffic };
    case 'rx':
    case 'forward':
      return { kind: flags.workload, ...packets };
    case 'rr':
      return { kind: 'rr', traffic };
    case 'verify':
      return {
        kind: 'verify',
        traffic,
        direction: flags.direction,
        ...(flags.window === undefined ? {} : { window: flags.window }),
      };
    default:
      throw new OperatorError(`--workload ${flags.workload}: this is not one of ${WORKLOADS}.`);
  }
}
