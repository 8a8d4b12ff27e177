import { type ProcessMapping, processMappings } from '@vhostlab/host';
import { QmpClient } from './qmp-client.ts';
import { AttachError, areaBytes, type FileArea, type FoundQueue } from './queue-source.ts';

/** What QEMU says of a vhost queue: addresses are those of its own process. `kick` and `call` are 0 with vhost-user. */
interface VhostQueueStatus {
  readonly num: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
}

interface VirtioStatus {
  readonly 'vhost-started': boolean;
  readonly 'vhost-dev'?: { readonly 'acked-features': { readonly transports: readonly string[] } };
}

/** QEMU shows the first pair of a device, whose queues are these. */
const QUEUES = [0, 1];

/**
 * The rings of every vhost-user network device of a QEMU, from what it knows itself: x-query-virtio-vhost-queue-status
 * sends no message, unlike x-query-virtio-queue-status, which stops the ring. Throws an AttachError.
 */
export async function queuesFromQmp(pid: number, path: string, timeoutMs?: number): Promise<FoundQueue[]> {
  const mappings = processMappings(pid);
  if (mappings === undefined || mappings.length === 0) {
    throw new AttachError(`--pid ${pid}: no such process, or not yours; run as its user or as root.`);
  }
  const qmp = await QmpClient.connect(path, timeoutMs);
  try {
    const memory: QemuMemory = { pid, serverPid: qmp.serverPid, mappings };
    const devices = (await qmp.execute('x-query-virtio')) as { name: string; path: string }[];
    const found: FoundQueue[] = [];
    for (const device of devices.filter(({ name }) => name === 'virtio-net')) {
      const status = (await qmp.execute('x-query-virtio-status', { path: device.path })) as VirtioStatus;
      if (!status['vhost-started'] || status['vhost-dev'] === undefined) continue;
      for (const queue of QUEUES) {
        const args = { path: device.path, queue };
        const ring = (await qmp.execute('x-query-virtio-vhost-queue-status', args)) as VhostQueueStatus;
        if (ring.num > 0 && ring.desc > 0) found.push(foundQueue(device.path, queue, ring, status, memory));
      }
    }
    if (found.length === 0) {
      const text =
        'this QEMU has no vhost network device whose driver runs; wait until the guest has begun it.';
      throw new AttachError(`--qmp ${path}: ${text}`);
    }
    return found;
  } finally {
    qmp.close();
  }
}

interface QemuMemory {
  readonly pid: number;
  readonly serverPid: number;
  readonly mappings: readonly ProcessMapping[];
}

function foundQueue(
  device: string,
  queue: number,
  ring: VhostQueueStatus,
  status: VirtioStatus,
  memory: QemuMemory,
): FoundQueue {
  const acked = status['vhost-dev']!['acked-features'].transports.join(' ');
  const format = acked.includes('VIRTIO_F_RING_PACKED') ? 'packed' : 'split';
  const hasEvents = acked.includes('VIRTIO_RING_F_EVENT_IDX');
  const [desc, driver, deviceBytes] = areaBytes(format, ring.num, hasEvents);
  return {
    device,
    queue,
    format,
    size: ring.num,
    hasEvents,
    isEnabled: null,
    descArea: areaAt(memory, ring.desc, desc),
    driverArea: areaAt(memory, ring.avail, driver),
    deviceArea: areaAt(memory, ring.used, deviceBytes),
    events: null,
    tamperedKick: null,
    tamperedCall: null,
  };
}

function areaAt({ pid, serverPid, mappings }: QemuMemory, address: number, bytes: number): FileArea {
  const mapping = mappings.find(({ start, end }) => address >= start && address + bytes <= end);
  const where = `0x${address.toString(16)}`;
  if (mapping === undefined || mapping.inode === 0 || !mapping.permissions.endsWith('s')) {
    throw new AttachError(
      serverPid === pid
        ? `the ring at ${where} is not in shared memory; give QEMU memory-backend-memfd with share=on.`
        : `--pid ${pid} does not share the memory of the ring at ${where}; process ${serverPid} serves the QMP socket.`,
    );
  }
  return { inode: mapping.inode, fileOffset: mapping.fileOffset + (address - mapping.start), bytes };
}
