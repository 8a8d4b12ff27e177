/** What testpmd does with packets; the names are DPDK's. */
export type ForwardMode = 'txonly' | 'rxonly' | 'io' | 'mac' | 'macswap' | 'csum' | 'flowgen' | '5tswap';

/** What the command line of testpmd is made of. */
export interface TestpmdArguments {
  readonly mode: ForwardMode;
  /** Queue pairs of every port, 1 by default. */
  readonly queues?: number;
  /** Bytes of the frames that txonly sends, without CRC; 64 by default. */
  readonly size?: number;
  /** CPUs that all of its threads run on, as DPDK writes them: `1` or `(0-1)`. */
  readonly cpus: string;
  /** Packets handled at once; 32 by default. */
  readonly burst?: number;
  /** False leaves the forwarding stopped. */
  readonly autoStart?: boolean;
  /** More of testpmd's own options, behind the `--`. */
  readonly extra?: readonly string[];
  /** More options of DPDK's environment layer, before the `--`. */
  readonly extraEal?: readonly string[];
}

/** A port's counters since its start, as the driver counts them. */
export interface PortCounters {
  readonly rxPackets: number;
  readonly rxMissed: number;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly rxNoMbuf: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txBytes: number;
}

/** DPDK's and testpmd's command line. */
export function testpmdArguments(
  devices: readonly string[],
  memoryMiB: number,
  hugepages: boolean,
  options: TestpmdArguments,
): string[] {
  const { cpus, queues = 1 } = options;
  return [
    `--lcores=0@${cpus},1@${cpus}`,
    '--no-pci',
    '--no-telemetry',
    // without files of its own DPDK needs no folder that outlives it
    ...(hugepages ? ['--in-memory', '--single-file-segments'] : ['--no-huge', '--no-shconf']),
    '-m',
    String(memoryMiB),
    ...devices.map((device) => `--vdev=${device}`),
    ...(options.extraEal ?? []),
    '--',
    '--interactive',
    ...(options.autoStart === false ? [] : ['--auto-start']),
    `--forward-mode=${options.mode}`,
    '--nb-cores=1',
    `--rxq=${queues}`,
    `--txq=${queues}`,
    `--burst=${options.burst ?? 32}`,
    // two descriptor rings per queue pair and what bursts hold
    `--total-num-mbufs=${Math.max(8192, 4096 * queues * devices.length)}`,
    '--no-flush-rx',
    ...(options.size === undefined ? [] : [`--txpkts=${options.size}`]),
    ...(options.extra ?? []),
  ];
}

/** A virtio-user port: the front end of a vhost-user socket. */
export interface VirtioUserDevice {
  readonly socketPath: string;
  /** Listens on the socket; connects to it by default. */
  readonly server?: boolean;
  readonly mac?: string;
  readonly queues?: number;
  /** Entries of every ring; 256 by default. */
  readonly queueSize?: number;
  readonly packed?: boolean;
  readonly inOrder?: boolean;
  readonly mrgRxbuf?: boolean;
  readonly vectorized?: boolean;
}

/** The `--vdev` of a virtio-user port. */
export function virtioUserDevice(options: VirtioUserDevice, index = 0): string {
  const flag = (name: string, value: boolean | undefined) =>
    value === undefined ? [] : [`${name}=${value ? 1 : 0}`];
  return [
    `net_virtio_user${index}`,
    `path=${options.socketPath}`,
    `mac=${options.mac ?? '52:54:00:00:00:01'}`,
    `queues=${options.queues ?? 1}`,
    ...(options.queueSize === undefined ? [] : [`queue_size=${options.queueSize}`]),
    ...flag('server', options.server),
    ...flag('packed_vq', options.packed),
    ...flag('in_order', options.inOrder),
    ...flag('mrg_rxbuf', options.mrgRxbuf),
    ...flag('vectorized', options.vectorized),
  ].join(',');
}

/** A net_vhost port: the back end of a vhost-user socket. */
export interface NetVhostDevice {
  readonly socketPath: string;
  readonly queues?: number;
  /** Connects to the socket, again and again; listens on it by default. */
  readonly client?: boolean;
  /** Offers segmentation offload, and passes packets with their offload flags between two ports; off by default. */
  readonly tso?: boolean;
}

/** The `--vdev` of a net_vhost port. */
export function netVhostDevice(options: NetVhostDevice, index = 0): string {
  return [
    `net_vhost${index}`,
    `iface=${options.socketPath}`,
    `queues=${options.queues ?? 1}`,
    ...(options.client === true ? ['client=1'] : []),
    ...(options.tso === true ? ['tso=1', 'legacy-ol-flags=1'] : []),
  ].join(',');
}

/** Reads the block that `show port stats` prints. */
export function parsePortStats(text: string): PortCounters {
  const field = (name: string): number => {
    const found = new RegExp(`${name}:\\s+(\\d+)`).exec(text);
    if (found === null) throw new Error(`dpdk-testpmd printed no ${name}:\n${text}`);
    return Number(found[1]);
  };
  return {
    rxPackets: field('RX-packets'),
    rxMissed: field('RX-missed'),
    rxBytes: field('RX-bytes'),
    rxErrors: field('RX-errors'),
    rxNoMbuf: field('RX-nombuf'),
    txPackets: field('TX-packets'),
    txErrors: field('TX-errors'),
    txBytes: field('TX-bytes'),
  };
}
