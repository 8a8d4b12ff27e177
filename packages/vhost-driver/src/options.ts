import type { FrontendObserver } from '@vhostlab/vhost-user';
import { queueSizeProblem, type RingFormat } from '@vhostlab/virtqueue';
import type { TrafficSpec } from '@vhostlab/workload';
import { FrontendError } from './errors.ts';

/** How frames lie in descriptors when they are sent: header and frame in one, in two, or in an indirect table of two. */
export type TxLayout = 'one' | 'two' | 'indirect';

/** Virtio features that the driver asks for; it gets those that the back end offers. */
export interface FeatureWishes {
  /** VIRTIO_F_IN_ORDER. Default true. */
  readonly inOrder?: boolean;
  /** VIRTIO_NET_F_MRG_RXBUF. Default true. */
  readonly mrgRxbuf?: boolean;
  /** VIRTIO_F_INDIRECT_DESC. Default: when the layout needs it. */
  readonly indirect?: boolean;
  /** VIRTIO_F_EVENT_IDX. Default false, as DPDK's driver; Linux has it. */
  readonly eventIdx?: boolean;
  /** VIRTIO_NET_F_CSUM and GUEST_CSUM. Default false. */
  readonly csum?: boolean;
  /** VIRTIO_NET_F_HOST_TSO4/6 and GUEST_TSO4/6, and the checksum features they need. Default false. */
  readonly tso?: boolean;
}

/** What the guest does. */
export type Workload =
  /** Rings are announced and nobody drives them: a test writes them itself (`rawRing`). */
  | { readonly kind: 'raw' }
  /** Receive buffers are posted and what comes is counted. `packets`: done after so many. */
  | { readonly kind: 'rx'; readonly packets?: number }
  /** Sends; `packets` absent: until stopped. UDP traffic without a rate comes from frames prepared beforehand. */
  | { readonly kind: 'tx'; readonly traffic: TrafficSpec; readonly capture?: Uint8Array }
  /** Sends back what comes, MAC addresses swapped, without a copy. `packets`: done after so many. */
  | { readonly kind: 'forward'; readonly packets?: number }
  /** One request outstanding per queue pair; its answer is the frame with the same sequence number. */
  | { readonly kind: 'rr'; readonly traffic: TrafficSpec; readonly timeoutMs?: number }
  /** Sends frames with sequence and checksum, and checks every frame that comes. */
  | {
      readonly kind: 'verify';
      readonly traffic: TrafficSpec;
      /** `both`: what is sent comes back. `send` and `check`: another front end has the other half. Default `both`. */
      readonly direction?: 'both' | 'send' | 'check';
      /**
       * `both`: frames under way at once, all pairs together, so that a back end that drops nothing loses nothing. 0: no
       * limit. Default: half a ring.
       */
      readonly window?: number;
    };

export interface FrontendOptions {
  /** Socket of the back end; this or `vhostNet`. */
  readonly socketPath?: string;
  /**
   * Name of the tap interface, made if there is none, that the kernel's vhost-net joins to the guest: /dev/vhost-net in
   * place of a socket. Split rings; offloads are the tap's.
   */
  readonly vhostNet?: string;
  /** Listens, and takes one back end after the other. Default: connects. */
  readonly server?: boolean;
  /** Client: connects again when the back end is gone. A server always takes a new one. */
  readonly reconnect?: boolean;
  /** How long the first back end may take to be there; default 10000 for a client, no limit for a server. */
  readonly connectTimeoutMs?: number;
  /** How long one answer of the back end may take; default 10000. */
  readonly replyTimeoutMs?: number;
  /** Guest memory, rounded up to whole pages per region; below 4 GiB. Default 256 MiB. */
  readonly memoryBytes?: number;
  readonly hugePages?: 'none' | '2M' | '1G';
  /** Regions that the memory is cut into, 1 to 8. Default 1. */
  readonly regions?: number;
  /** Queue pairs, 1 to 128. Default 1. */
  readonly queues?: number;
  /** Entries of every ring. Default 256. */
  readonly queueSize?: number;
  readonly ring?: RingFormat;
  readonly features?: FeatureWishes;
  /** Bits that may be acknowledged at all, vhost's own excepted. Default: all. */
  readonly featureMask?: bigint;
  readonly txLayout?: TxLayout;
  readonly workload: Workload;
  /** Threads that the queue pairs are dealt to in turn. Default 1. */
  readonly workers?: number;
  /** CPU of each worker, in turn. Default: left to the kernel. */
  readonly cpus?: readonly number[];
  /** Default poll. */
  readonly wait?: 'poll' | 'interrupt';
  /** Frames handled at once, 1 to 256. Default 64. */
  readonly burst?: number;
  /** Writes every received frame into this pcapng file. */
  readonly writePcap?: string;
  /**
   * The back end notes in shared memory what it has in flight (INFLIGHT_SHMFD), and the next one goes on from there: rings
   * are left as they are, as a VMM leaves those of its guest. Default false: the driver offers its buffers again itself.
   */
  readonly inflight?: boolean;
  /** Told of every message of every session. */
  readonly observer?: FrontendObserver;
  /** Told of what happens between the driver and its back end, in order. */
  readonly onEvent?: (event: FrontendEvent) => void;
}

/** Where a ring goes on with a new back end. */
export interface RingRestart {
  readonly index: number;
  /** As SET_VRING_BASE has it. */
  readonly base: number;
  /** Buffers that the old back end had not given back: offered again, so they may take effect a second time. */
  readonly replayed: number;
  /** The ring had been broken by the back end, and was cleared: it starts at 0. */
  readonly reset: boolean;
}

/** What happens between the driver and its back end. */
export type FrontendEvent =
  | { readonly kind: 'warning'; readonly text: string }
  | { readonly kind: 'listening'; readonly path: string }
  | { readonly kind: 'started'; readonly features: string; readonly connection: number }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'restarting'; readonly rings: readonly RingRestart[] }
  | { readonly kind: 'broken'; readonly queue: number; readonly violation: string };

/** Options with every default filled in. */
export interface Settings
  extends Required<
    Omit<FrontendOptions, 'featureMask' | 'writePcap' | 'features' | 'observer' | 'vhostNet'>
  > {
  readonly features: Required<FeatureWishes>;
  readonly featureMask: bigint;
  readonly writePcap: string | undefined;
  readonly vhostNet: string | undefined;
  readonly observer: FrontendObserver;
}

/** Traffic of as many flows as there are queue pairs, unless it says how many. */
function withFlows(workload: Workload, queues: number): Workload {
  if (!('traffic' in workload) || workload.traffic.kind === 'pcap') return workload;
  return { ...workload, traffic: { flows: queues, ...workload.traffic } };
}

/** IFNAMSIZ of Linux without the end mark. */
const MAX_INTERFACE_BYTES = 15;
const MAX_MEMORY_BYTES = 2 ** 32 - 2 ** 28;

/** Fills in defaults. Throws a FrontendError of one sentence for a value that is out of range. */
export function settingsOf(options: FrontendOptions): Settings {
  const ring = options.ring ?? 'split';
  const txLayout = options.txLayout ?? 'one';
  const wishes = options.features ?? {};
  const tso = wishes.tso ?? false;
  const settings: Settings = {
    socketPath: options.socketPath ?? '',
    vhostNet: options.vhostNet,
    server: options.server ?? false,
    reconnect: options.reconnect ?? options.server ?? false,
    connectTimeoutMs: options.connectTimeoutMs ?? (options.server ? Number.POSITIVE_INFINITY : 10_000),
    replyTimeoutMs: options.replyTimeoutMs ?? 10_000,
    memoryBytes: options.memoryBytes ?? 256 * 2 ** 20,
    hugePages: options.hugePages ?? 'none',
    regions: options.regions ?? 1,
    queues: options.queues ?? 1,
    queueSize: options.queueSize ?? 256,
    ring,
    txLayout,
    features: {
      inOrder: wishes.inOrder ?? true,
      mrgRxbuf: wishes.mrgRxbuf ?? true,
      indirect: wishes.indirect ?? txLayout === 'indirect',
      eventIdx: wishes.eventIdx ?? false,
      csum: wishes.csum ?? tso,
      tso,
    },
    featureMask: options.featureMask ?? 2n ** 64n - 1n,
    workload: withFlows(options.workload, options.queues ?? 1),
    workers: options.workers ?? 1,
    cpus: options.cpus ?? [],
    wait: options.wait ?? 'poll',
    burst: options.burst ?? 64,
    writePcap: options.writePcap,
    inflight: options.inflight ?? false,
    observer: options.observer ?? {},
    onEvent: options.onEvent ?? (() => undefined),
  };
  check(settings);
  return settings;
}

function check(settings: Settings): void {
  checkBackend(settings);
  range('queues', settings.queues, 1, 128);
  range('regions', settings.regions, 1, 8);
  const flows = 'traffic' in settings.workload ? (settings.workload.traffic.flows ?? 0) : 0;
  if (flows > 0 && flows < settings.queues) {
    throw new FrontendError(
      `${flows} flows do not reach ${settings.queues} queue pairs: give each at least one.`,
    );
  }
  range('workers', settings.workers, 1, settings.queues);
  range('burst', settings.burst, 1, 256);
  if (!(settings.memoryBytes >= 2 ** 20 && settings.memoryBytes <= MAX_MEMORY_BYTES)) {
    throw new FrontendError(
      `guest memory of ${settings.memoryBytes} bytes is not between 1M and 3840M; offsets into it are 32-bit numbers.`,
    );
  }
  const problem = queueSizeProblem(settings.ring, settings.queueSize);
  if (problem !== undefined) throw new FrontendError(problem);
  if (settings.features.tso && !settings.features.csum) {
    throw new FrontendError('segmentation offload needs checksum offload: leave csum on with tso.');
  }
  if (settings.txLayout === 'indirect' && !settings.features.indirect) {
    throw new FrontendError('the layout "indirect" needs the feature indirect.');
  }
  if (settings.txLayout !== 'one' && settings.workload.kind === 'forward') {
    throw new FrontendError('forward sends buffers as they were received: its layout is "one".');
  }
}

function checkBackend({ socketPath, vhostNet, server, reconnect, inflight, ring }: Settings): void {
  if ((socketPath === '') === (vhostNet === undefined)) {
    throw new FrontendError(
      'a front end needs a socket (--socket-path) or a tap interface (--vhost-net): give one of them.',
    );
  }
  if (vhostNet === undefined) return;
  if (server || reconnect || inflight) {
    throw new FrontendError(
      'server, reconnect and inflight are of sockets: leave them out with --vhost-net.',
    );
  }
  if (ring === 'packed') throw new FrontendError('vhost-net knows split rings only: use --ring split.');
  const bytes = new TextEncoder().encode(vhostNet).length;
  if (bytes < 1 || bytes > MAX_INTERFACE_BYTES) {
    throw new FrontendError(
      `"${vhostNet}" is no interface name: --vhost-net takes 1 to ${MAX_INTERFACE_BYTES} bytes.`,
    );
  }
}

function range(name: string, value: number, from: number, to: number): void {
  if (Number.isInteger(value) && value >= from && value <= to) return;
  throw new FrontendError(`${name} ${value} is not a whole number from ${from} to ${to}.`);
}
