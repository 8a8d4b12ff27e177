import { protocolFeatureNames } from '../registry/protocol-features.ts';
import { virtioFeatureNames } from '../registry/virtio-features.ts';
import type { Message } from './message.ts';
import type { MemRegion, Payload } from './payload.ts';

const NAME_WIDTH = 22;
const IOTLB_TYPES = ['type 0', 'MISS', 'UPDATE', 'INVALIDATE', 'ACCESS_FAIL', 'BATCH_BEGIN', 'BATCH_END'];
const PERMISSIONS = ['none', 'RO', 'WO', 'RW'];
const STATUS_BITS = [
  'ACKNOWLEDGE',
  'DRIVER',
  'DRIVER_OK',
  'FEATURES_OK',
  'SUSPEND',
  'bit 5',
  'NEEDS_RESET',
  'FAILED',
];

function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

function hexBytes(bytes: Uint8Array, separator = ''): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(separator);
}

/** Names of the bits of a device status byte (virtio 1.3, 2.1). */
export function statusNames(status: number): string[] {
  return STATUS_BITS.filter((_, bit) => (status & (1 << bit)) !== 0);
}

/**
 * One message for people. The first line holds name, flags, size, descriptors and every field; a memory table has one
 * more line per region; each problem has a line of its own at the end.
 */
export function explainMessage(message: Message): string {
  const { header, payload, fdCount, role, name } = message;
  const fields = payload === null ? '' : explainPayload(payload, name);
  const arrow = role === 'reply' ? ' (reply)' : '';
  const head = `${(name + arrow).padEnd(NAME_WIDTH)} flags=${hex(header.flags)} size=${header.size} fds=${fdCount} ${fields}`;
  const lines = [head.trimEnd()];
  if (payload?.kind === 'mem-table') {
    for (const region of payload.regions) lines.push(`     region ${explainRegion(region)}`);
  }
  for (const { code, text, clause } of message.problems) lines.push(`     ! ${code}: ${text} [${clause}]`);
  return lines.join('\n');
}

/** The fields of a payload on one line; `name` decides what the bits of a u64 are called. */
export function explainPayload(payload: Payload, name = ''): string {
  switch (payload.kind) {
    case 'empty':
      return '';
    case 'u64':
      return [hex(payload.value), ...bitNames(name, payload.value)].join(' ');
    case 'vring-fd':
      return `vq=${payload.index} nofd=${payload.noFd ? 1 : 0}`;
    case 'mac':
      return `mac=${hexBytes(payload.mac, ':')}`;
    case 'state-fd':
      return `error=${payload.error} nofd=${payload.noFd ? 1 : 0}`;
    case 'state':
      return `vq=${payload.index} num=${payload.num}(${hex(payload.num)})`;
    case 'addr':
      return `vq=${payload.index} flags=${payload.flags} desc=${hex(payload.desc)} used=${hex(payload.used)} avail=${hex(payload.avail)} log=${hex(payload.logGuestAddr)}`;
    case 'mem-table':
      return `regions=${payload.regions.length}`;
    case 'mem-region':
      return explainRegion(payload.region);
    case 'log':
      return `mmap_size=${hex(payload.mmapSize)} mmap_offset=${hex(payload.mmapOffset)}`;
    case 'iotlb':
      return `${IOTLB_TYPES[payload.type] ?? `type ${payload.type}`} iova=${hex(payload.iova)} size=${hex(payload.size)} uaddr=${hex(payload.uaddr)} perm=${PERMISSIONS[payload.perm] ?? payload.perm}`;
    case 'config':
      return `offset=${payload.offset} size=${payload.size} flags=${payload.flags} ${hexBytes(payload.region)}`.trimEnd();
    case 'vring-area':
      return `vq=${payload.index} nofd=${payload.noFd ? 1 : 0} size=${hex(payload.size)} offset=${hex(payload.offset)}`;
    case 'inflight':
      return `mmap_size=${hex(payload.mmapSize)} mmap_offset=${hex(payload.mmapOffset)} queues=${payload.numQueues} queue_size=${payload.queueSize}`;
    case 'transfer':
      return `direction=${['save', 'load'][payload.direction] ?? payload.direction} phase=${payload.phase === 0 ? 'stopped' : payload.phase}`;
    case 'uuid':
      return hexBytes(payload.uuid);
    case 'opaque':
      return hexBytes(payload.bytes);
  }
}

function explainRegion(region: MemRegion): string {
  return `gpa=${hex(region.guestPhysAddr)} size=${hex(region.memorySize)} uva=${hex(region.userspaceAddr)} off=${hex(region.mmapOffset)}`;
}

function bitNames(name: string, value: bigint): string[] {
  switch (name) {
    case 'GET_FEATURES':
    case 'SET_FEATURES':
      return virtioFeatureNames(value);
    case 'GET_PROTOCOL_FEATURES':
    case 'SET_PROTOCOL_FEATURES':
      return protocolFeatureNames(value);
    case 'GET_STATUS':
    case 'SET_STATUS':
      return statusNames(Number(value & 0xffn));
    default:
      return [];
  }
}
