import type { Security } from '@vhostlab/contracts';
import { flowProblem } from '../plugin/guest-ports.ts';
import type { PluginName } from '../plugin/plugin-spec.ts';
import type { PortSpec } from '../ports/port-spec.ts';
import type { WorkerMode } from '../worker/worker-config.ts';
import { DEVICE_FEATURES, type DeviceFeatures } from './offer.ts';

/** What a back-end program is asked for. Ranges are checked by `checkBackendOptions`. */
export interface BackendOptions {
  /** One device per path; a front end connects to it, or it is connected to (`client`). */
  readonly sockets: readonly string[];
  /** A connected socket that was inherited, in place of `sockets`. */
  readonly fd?: number;
  /** Connects to a front end that listens, and again whenever it goes away. */
  readonly client: boolean;
  /** 1 to 128, per device. */
  readonly queuePairs: number;
  /** Largest ring, a power of two up to 32768. */
  readonly queueSize: number;
  /** Threads, 1 to the number of queue pairs. */
  readonly workers: number;
  /** CPU of each worker in turn; empty: any. */
  readonly cpus: readonly number[];
  readonly mode: WorkerMode;
  readonly port: PortSpec;
  /** What keeps strangers out of a link: token and certificates, which TCP addresses off loopback need. */
  readonly security: Security;
  /** Flows of the switch, each in the form of ovs-ofctl; its ports are guest0, guest1, …. None: it learns. */
  readonly flows: readonly string[];
  /** Features that are not offered although the port could have them. */
  readonly without: readonly string[];
  readonly mac: readonly number[];
  /** 68 to 65535. */
  readonly mtuBytes: number;
}

export const DEFAULT_BACKEND_OPTIONS: Omit<BackendOptions, 'sockets'> = {
  client: false,
  queuePairs: 1,
  queueSize: 1024,
  workers: 1,
  cpus: [],
  mode: 'poll',
  port: { kind: 'drop' },
  security: {},
  flows: [],
  without: [],
  mac: [0x52, 0x54, 0, 0x76, 0x6c, 1],
  mtuBytes: 1500,
};

/** Null, or one sentence that names the option, its value and the mend. */
export function checkBackendOptions(options: BackendOptions): string | null {
  const { sockets, fd, queuePairs, queueSize, workers, without, mtuBytes, port } = options;
  const known: DeviceFeatures = DEVICE_FEATURES;
  const unknown = without.find((name) => !known.includes(name as DeviceFeatures[number]));
  if (sockets.length === 0 && fd === undefined)
    return 'give --socket-path PATH, or --fd N for an inherited socket';
  if (sockets.length > 0 && fd !== undefined)
    return '--fd and --socket-path exclude each other: give one of them';
  if (!isWithin(queuePairs, 1, 128)) return `--queues ${queuePairs}: use 1 to 128 queue pairs`;
  if (!isWithin(queueSize, 2, 32_768) || (queueSize & (queueSize - 1)) !== 0) {
    return `--queue-size ${queueSize}: use a power of two from 2 to 32768`;
  }
  if (!isWithin(workers, 1, queuePairs))
    return `--workers ${workers}: use 1 to ${queuePairs}, one queue pair each at least`;
  if (!isWithin(mtuBytes, 68, 65_535)) return `--mtu ${mtuBytes}: use 68 to 65535 bytes`;
  if (unknown !== undefined) return `--without ${unknown}: this is not one of ${known.join(', ')}`;
  if (port.kind === 'switch') return switchProblem(options, port.plugin);
  if (options.flows.length > 0) return '--flow is for --port switch: leave it out, or give that port';
  if (port.kind === 'link' && sockets.length > 1)
    return '--port link: a link belongs to one device, give one --socket-path';
  if (port.kind === 'tap' && sockets.length > 1)
    return '--port tap: a tap belongs to one device, give one --socket-path';
  return null;
}

function switchProblem(options: BackendOptions, plugin: PluginName | undefined): string | null {
  const { workers, mode, flows, sockets } = options;
  if (workers > 1) return `--workers ${workers}: the switch runs on one thread, use 1`;
  if (mode === 'adaptive' && plugin === undefined)
    return '--mode adaptive: use poll or interrupt with --port switch';
  return flowProblem(flows, Math.max(1, sockets.length));
}

function isWithin(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}
