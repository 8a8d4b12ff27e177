import type { NetUse, PayloadKind, Peer, Source } from './kinds.ts';
import type { ProtocolFeatureName } from './protocol-features.ts';

interface BackRow {
  readonly request: number;
  readonly name: string;
  readonly payload: PayloadKind;
  /** Payload of its own reply; null: none, only the acknowledgement that need_reply asks for. */
  readonly reply: PayloadKind | null;
  readonly fds: readonly [number, number];
  readonly replyFds?: readonly [number, number];
  readonly feature: ProtocolFeatureName;
  readonly net: NetUse;
  readonly source: Source;
  /** Who sends or handles it. */
  readonly peers: readonly Peer[];
  readonly collision?: string;
  readonly note?: string;
}

const NO_FD = [0, 0] as const;

const ROWS = [
  {
    request: 1,
    name: 'IOTLB_MSG',
    payload: 'iotlb',
    reply: null,
    fds: NO_FD,
    feature: 'BACKEND_REQ',
    net: 'O',
    source: 'qemu-10.2',
    peers: ['FE', 'DPDK'],
  },
  {
    request: 2,
    name: 'CONFIG_CHANGE_MSG',
    payload: 'empty',
    reply: null,
    fds: NO_FD,
    feature: 'CONFIG',
    net: 'O',
    source: 'qemu-10.2',
    peers: ['FE', 'RV', 'CR', 'LVU', 'DPDK'],
    note: 'QEMU does not handle it for network devices',
  },
  {
    request: 3,
    name: 'VRING_HOST_NOTIFIER_MSG',
    payload: 'vring-area',
    reply: null,
    fds: [0, 1],
    feature: 'HOST_NOTIFIER',
    net: 'O',
    source: 'qemu-10.2',
    peers: ['FE', 'LVU', 'DPDK'],
    note: 'QEMU wants size to be its page size and the ring to exist',
  },
  {
    request: 4,
    name: 'VRING_CALL',
    payload: 'state',
    reply: null,
    fds: NO_FD,
    feature: 'INBAND_NOTIFICATIONS',
    net: 'O',
    source: 'qemu-10.2',
    peers: ['LVU'],
  },
  {
    request: 5,
    name: 'VRING_ERR',
    payload: 'state',
    reply: null,
    fds: NO_FD,
    feature: 'INBAND_NOTIFICATIONS',
    net: 'O',
    source: 'qemu-10.2',
    peers: ['LVU'],
  },
  {
    request: 6,
    name: 'SHARED_OBJECT_ADD',
    payload: 'uuid',
    reply: null,
    fds: NO_FD,
    feature: 'SHARED_OBJECT',
    net: '-',
    source: 'qemu-10.2',
    peers: ['FE', 'RV', 'LVU'],
  },
  {
    request: 7,
    name: 'SHARED_OBJECT_REMOVE',
    payload: 'uuid',
    reply: null,
    fds: NO_FD,
    feature: 'SHARED_OBJECT',
    net: '-',
    source: 'qemu-10.2',
    peers: ['FE', 'RV', 'LVU'],
  },
  {
    request: 8,
    name: 'SHARED_OBJECT_LOOKUP',
    payload: 'uuid',
    reply: 'u64',
    replyFds: [0, 1],
    fds: NO_FD,
    feature: 'SHARED_OBJECT',
    net: '-',
    source: 'qemu-10.2',
    peers: ['FE', 'RV', 'LVU'],
    note: 'always answered',
  },
  {
    request: 9,
    name: 'SHMEM_MAP',
    payload: 'opaque',
    reply: null,
    fds: [0, 1],
    feature: 'SHMEM',
    net: '-',
    source: 'qemu-11',
    peers: ['RV', 'CR'],
  },
  {
    request: 10,
    name: 'SHMEM_UNMAP',
    payload: 'opaque',
    reply: null,
    fds: NO_FD,
    feature: 'SHMEM',
    net: '-',
    source: 'qemu-11',
    peers: ['RV', 'CR'],
  },
] as const satisfies readonly BackRow[];

/** Name of a back-end message, without VHOST_USER_BACKEND_ in front. */
export type BackName = (typeof ROWS)[number]['name'];

/** One message that back ends send on the channel of SET_BACKEND_REQ_FD (vhost-user, "Back-end message types"). */
export interface BackMessage extends BackRow {
  readonly name: BackName;
}

/** Every back-end message, in the order of the numbers. crosvm has private ones from 1002 to 1008. */
export const BACK_MESSAGES: readonly BackMessage[] = ROWS;

/** Request numbers by name: `BACK.IOTLB_MSG === 1`. */
export const BACK = Object.freeze(Object.fromEntries(ROWS.map((row) => [row.name, row.request]))) as {
  readonly [N in BackName]: number;
};

const byRequest = new Map<number, BackMessage>(BACK_MESSAGES.map((row) => [row.request, row]));

/** The back-end message of that number; undefined for one that nobody defined. */
export function backMessage(request: number): BackMessage | undefined {
  return byRequest.get(request);
}
