import { netVhostDevice } from '@vhostlab/lab/real-nodes';
import { clearStaleSocket } from './process.ts';
import { Testpmd, type TestpmdOptions } from './testpmd.ts';

/** DPDK's back end, one port for each socket. */
export interface NetVhostOptions extends TestpmdOptions {
  /** One port's socket, or those of several. In the modes io, mac and macswap two ports are joined to each other. */
  readonly socketPath: string | readonly string[];
  /** Connects to the sockets, again and again; listens on them by default. */
  readonly client?: boolean;
  /** Offers segmentation offload, and passes packets with their offload flags between two ports; off by default. */
  readonly tso?: boolean;
}

/** Starts DPDK's net_vhost on vhost-user sockets. Ready once every port listens, or asks to be let in as a client. */
export async function netVhost(options: NetVhostOptions): Promise<Testpmd> {
  const paths = typeof options.socketPath === 'string' ? [options.socketPath] : options.socketPath;
  const { queues, client, tso } = options;
  const given = {
    ...(queues === undefined ? {} : { queues }),
    ...(client === undefined ? {} : { client }),
    ...(tso === undefined ? {} : { tso }),
  };
  const devices = paths.map((path, index) => netVhostDevice({ socketPath: path, ...given }, index));
  if (options.client !== true) {
    for (const path of paths) clearStaleSocket(path);
  }
  const testpmd = await Testpmd.start('net_vhost', devices, paths[0]!, options);
  return testpmd.started(async () => {
    await testpmd.ready();
    if (options.client === true) return;
    for (const path of paths) await testpmd.process.waitForSocket(path);
  });
}
