import { clearStaleSocket, PeerProcess } from './process.ts';

/** QEMU's storage daemon: a back end made with libvhost-user, for a block device. */
export interface StorageDaemonOptions {
  readonly socketPath: string;
  /** Size of its empty disk; 16 by default. */
  readonly sizeMiB?: number;
  readonly queues?: number;
}

/** Starts a vhost-user-blk back end on a disk that reads as zeros. Ready once it listens. */
export async function storageDaemon(options: StorageDaemonOptions): Promise<PeerProcess> {
  clearStaleSocket(options.socketPath);
  const daemon = await PeerProcess.start({
    name: 'qemu-storage-daemon',
    program: 'qemu-storage-daemon',
    args: [
      '--blockdev',
      `driver=null-co,node-name=disk,size=${(options.sizeMiB ?? 16) * 1024 * 1024},read-zeroes=on`,
      '--export',
      [
        'type=vhost-user-blk',
        'id=export',
        'node-name=disk',
        'writable=on',
        'addr.type=unix',
        `addr.path=${options.socketPath}`,
        `num-queues=${options.queues ?? 1}`,
      ].join(','),
    ],
  });
  try {
    await daemon.waitForSocket(options.socketPath);
  } catch (error) {
    await daemon.stop();
    throw error;
  }
  return daemon;
}
