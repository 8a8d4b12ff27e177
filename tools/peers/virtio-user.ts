import { virtioUserDevice } from '@vhostlab/lab/real-nodes';
import { clearStaleSocket } from './process.ts';
import { Testpmd, type TestpmdOptions } from './testpmd.ts';

/** DPDK's front end: the guest driver of virtio-net as a process, without a guest. */
export interface VirtioUserOptions extends TestpmdOptions {
  readonly socketPath: string;
  /** Listens on the socket, and takes back ends one after the other; connects to it by default. */
  readonly server?: boolean;
  /** The packed ring format; split by default. */
  readonly packed?: boolean;
  /** Whether VIRTIO_F_IN_ORDER may be negotiated; as DPDK has it (yes) by default. */
  readonly inOrder?: boolean;
  /** Whether VIRTIO_NET_F_MRG_RXBUF may be negotiated; as DPDK has it (yes) by default. */
  readonly mrgRxbuf?: boolean;
  /** Lets DPDK take its vectorised path; a packed ring then needs AVX-512, in order and no merged buffers. */
  readonly vectorized?: boolean;
  /** Entries of every ring; 256 by default. */
  readonly queueSize?: number;
  readonly mac?: string;
}

/**
 * Starts DPDK's virtio-user port on a vhost-user socket. Its port is set up then; in server mode it listens, because
 * DPDK waits there for its first back end: await `ready()` once that has been started.
 */
export async function virtioUser(options: VirtioUserOptions): Promise<Testpmd> {
  const vectorized = options.vectorized === true;
  if (options.server === true) clearStaleSocket(options.socketPath);
  const testpmd = await Testpmd.start('virtio-user', [virtioUserDevice(options)], options.socketPath, {
    ...options,
    extraEal: [...(vectorized ? ['--force-max-simd-bitwidth=512'] : []), ...(options.extraEal ?? [])],
  });
  return testpmd.started(() =>
    options.server === true ? testpmd.process.waitForSocket(options.socketPath) : testpmd.ready(),
  );
}
