import type { NetUse, PayloadKind, Peer, Source } from './kinds.ts';
import type { ProtocolFeatureName } from './protocol-features.ts';

interface FrontRow {
  readonly request: number;
  readonly name: string;
  readonly payload: PayloadKind;
  /** Payload of its own reply; null: none, only the acknowledgement that need_reply asks for. */
  readonly reply: PayloadKind | null;
  /** Descriptors with the request, least and most. */
  readonly fds: readonly [number, number];
  /** Descriptors with the reply; default none. */
  readonly replyFds?: readonly [number, number];
  /** When its own reply comes; default always. */
  readonly replyWhen?: 'postcopy' | 'log-shmfd';
  /** Protocol feature that must be negotiated before it is sent. */
  readonly feature?: ProtocolFeatureName;
  readonly net: NetUse;
  readonly source: Source;
  /** Who sends or handles it. */
  readonly peers: readonly Peer[];
  readonly collision?: string;
  readonly note?: string;
}

const ALL = ['FE', 'vU', 'LVU', 'DPDK', 'RV', 'CR', 'PA', 'SN'] as const;
const FIVE = ['FE', 'LVU', 'DPDK', 'RV', 'CR'] as const;
const POSTCOPY = ['FE', 'LVU', 'DPDK', 'RV'] as const;

type More = Partial<Omit<FrontRow, 'request' | 'name' | 'payload' | 'reply' | 'net' | 'peers'>>;

/** One line of the table: number, name, payload, payload of its own reply, use for network devices, who knows it. */
function row<const N extends string>(
  request: number,
  name: N,
  payload: PayloadKind,
  reply: PayloadKind | null,
  net: NetUse,
  peers: readonly Peer[],
  more: More = {},
): FrontRow & { readonly name: N } {
  return { request, name, payload, reply, net, peers, fds: [0, 0], source: 'qemu-10.2', ...more };
}

const ROWS = [
  row(1, 'GET_FEATURES', 'empty', 'u64', 'N', ALL),
  row(2, 'SET_FEATURES', 'u64', null, 'N', ALL),
  row(3, 'SET_OWNER', 'empty', null, 'N', ALL),
  row(4, 'RESET_OWNER', 'empty', null, 'O', ['LVU', 'DPDK', 'RV', 'CR', 'SN'], {
    note: 'deprecated: ignore it or disable rings, never drop state',
  }),
  row(5, 'SET_MEM_TABLE', 'mem-table', 'mem-table', 'N', ALL, {
    fds: [1, 8],
    replyWhen: 'postcopy',
    note: 'one descriptor per region; an empty table is the acknowledgement of postcopy only',
  }),
  row(6, 'SET_LOG_BASE', 'log', 'empty', 'O', ['FE', 'LVU', 'DPDK', 'RV', 'PA'], {
    fds: [1, 1],
    replyWhen: 'log-shmfd',
    feature: 'LOG_SHMFD',
    note: 'the specification line says u64; all send 16 bytes. DPDK answers 0 bytes, libvhost-user 8',
  }),
  row(7, 'SET_LOG_FD', 'empty', null, 'O', ['LVU', 'DPDK', 'PA'], { fds: [1, 1] }),
  row(8, 'SET_VRING_NUM', 'state', null, 'N', ALL),
  row(9, 'SET_VRING_ADDR', 'addr', null, 'N', ALL),
  row(10, 'SET_VRING_BASE', 'state', null, 'N', ALL),
  row(11, 'GET_VRING_BASE', 'state', 'state', 'N', ALL, { note: 'stops the ring' }),
  row(12, 'SET_VRING_KICK', 'vring-fd', null, 'N', ALL, { fds: [0, 1] }),
  row(13, 'SET_VRING_CALL', 'vring-fd', null, 'N', ALL, { fds: [0, 1] }),
  row(14, 'SET_VRING_ERR', 'vring-fd', null, 'N', ['FE', 'LVU', 'DPDK', 'RV', 'CR', 'PA'], { fds: [0, 1] }),
  row(15, 'GET_PROTOCOL_FEATURES', 'empty', 'u64', 'N', ALL),
  row(16, 'SET_PROTOCOL_FEATURES', 'u64', null, 'N', ALL),
  row(17, 'GET_QUEUE_NUM', 'empty', 'u64', 'N', ALL, {
    feature: 'MQ',
    note: 'counts queue pairs for network devices',
  }),
  row(18, 'SET_VRING_ENABLE', 'state', null, 'N', ALL),
  row(19, 'SEND_RARP', 'mac', null, 'O', ['FE', 'DPDK', 'PA'], { feature: 'RARP' }),
  row(20, 'NET_SET_MTU', 'u64', null, 'O', ['FE', 'DPDK'], { feature: 'MTU' }),
  row(21, 'SET_BACKEND_REQ_FD', 'empty', null, 'O', FIVE, { fds: [1, 1], feature: 'BACKEND_REQ' }),
  row(22, 'IOTLB_MSG', 'iotlb', 'u64', 'O', ['FE', 'DPDK'], {
    note: 'QEMU always sets need_reply; there is one answer, not two',
  }),
  row(23, 'SET_VRING_ENDIAN', 'state', null, '-', ['FE'], { feature: 'CROSS_ENDIAN' }),
  row(24, 'GET_CONFIG', 'config', 'config', 'O', FIVE, {
    feature: 'CONFIG',
    collision: 'flags are values 0 and 1 in the specification and QEMU, bits 1 and 2 in rust-vmm vhost',
    note: 'a reply of 12 bytes is an error',
  }),
  row(25, 'SET_CONFIG', 'config', null, 'O', FIVE, {
    feature: 'CONFIG',
    collision: 'flags as in GET_CONFIG',
  }),
  row(26, 'CREATE_CRYPTO_SESSION', 'opaque', 'opaque', '-', ['FE', 'DPDK'], { feature: 'CRYPTO_SESSION' }),
  row(27, 'CLOSE_CRYPTO_SESSION', 'u64', null, '-', ['FE', 'DPDK'], { feature: 'CRYPTO_SESSION' }),
  row(28, 'POSTCOPY_ADVISE', 'empty', 'empty', 'O', POSTCOPY, {
    replyFds: [1, 1],
    feature: 'PAGEFAULT',
    note: 'the reply carries a userfaultfd',
  }),
  row(29, 'POSTCOPY_LISTEN', 'empty', null, 'O', POSTCOPY, { feature: 'PAGEFAULT' }),
  row(30, 'POSTCOPY_END', 'empty', 'u64', 'O', POSTCOPY, { feature: 'PAGEFAULT' }),
  row(31, 'GET_INFLIGHT_FD', 'inflight', 'inflight', 'O', FIVE, {
    replyFds: [1, 1],
    feature: 'INFLIGHT_SHMFD',
  }),
  row(32, 'SET_INFLIGHT_FD', 'inflight', null, 'O', FIVE, { fds: [1, 1], feature: 'INFLIGHT_SHMFD' }),
  row(33, 'GPU_SET_SOCKET', 'empty', null, '-', ['FE', 'RV'], { fds: [1, 1] }),
  row(34, 'RESET_DEVICE', 'empty', null, 'O', ['FE', 'RV'], { feature: 'RESET_DEVICE' }),
  row(35, 'VRING_KICK', 'state', null, 'O', ['LVU'], { feature: 'INBAND_NOTIFICATIONS' }),
  row(36, 'GET_MAX_MEM_SLOTS', 'empty', 'u64', 'O', FIVE, { feature: 'CONFIGURE_MEM_SLOTS' }),
  row(37, 'ADD_MEM_REG', 'mem-region', 'mem-region', 'O', FIVE, {
    fds: [1, 1],
    replyWhen: 'postcopy',
    feature: 'CONFIGURE_MEM_SLOTS',
  }),
  row(38, 'REM_MEM_REG', 'mem-region', null, 'O', FIVE, {
    fds: [0, 1],
    feature: 'CONFIGURE_MEM_SLOTS',
    note: 'some front ends attach a descriptor: it is closed',
  }),
  row(39, 'SET_STATUS', 'u64', null, 'O', ['FE', 'vU', 'DPDK'], {
    feature: 'STATUS',
    note: 'QEMU 7.2 sends 0 before GET_VRING_BASE, QEMU 10.2 after',
  }),
  row(40, 'GET_STATUS', 'empty', 'u64', 'O', ['FE', 'vU', 'DPDK'], { feature: 'STATUS' }),
  row(41, 'GET_SHARED_OBJECT', 'uuid', 'empty', '-', ['FE', 'LVU', 'RV'], {
    replyFds: [0, 1],
    feature: 'SHARED_OBJECT',
  }),
  row(42, 'SET_DEVICE_STATE_FD', 'transfer', 'state-fd', 'O', ['FE', 'RV', 'CR', 'PA'], {
    fds: [1, 1],
    replyFds: [0, 1],
    feature: 'DEVICE_STATE',
  }),
  row(43, 'CHECK_DEVICE_STATE', 'empty', 'u64', 'O', ['FE', 'RV', 'CR', 'PA'], { feature: 'DEVICE_STATE' }),
  row(44, 'GET_SHMEM_CONFIG', 'empty', 'opaque', '-', ['RV', 'CR'], {
    feature: 'SHMEM',
    source: 'qemu-11',
    collision:
      'VHOST_USER_GET_VRING_BASE_SKIP_DRAIN is proposed under 44 (yandex-cloud/yc-libvhost-server#48, 2026-09-15)',
  }),
] as const;

/** Name of a front-end message, without VHOST_USER_ in front. */
export type FrontName = (typeof ROWS)[number]['name'];

/** One message that front ends send (vhost-user, "Front-end message types"). */
export interface FrontMessage extends FrontRow {
  readonly name: FrontName;
}

/** Every front-end message, in the order of the numbers. */
export const FRONT_MESSAGES: readonly FrontMessage[] = ROWS;

/** Request numbers by name: `FRONT.SET_MEM_TABLE === 5`. */
export const FRONT = Object.freeze(Object.fromEntries(ROWS.map((row) => [row.name, row.request]))) as {
  readonly [N in FrontName]: number;
};

const byRequest = new Map<number, FrontMessage>(FRONT_MESSAGES.map((row) => [row.request, row]));
const byName = new Map<string, FrontMessage>(FRONT_MESSAGES.map((row) => [row.name, row]));

/** The front-end message of that number; undefined for one that nobody defined. */
export function frontMessage(request: number): FrontMessage | undefined {
  return byRequest.get(request);
}

/** The front-end message of that name. */
export function frontMessageNamed(name: FrontName): FrontMessage {
  return byName.get(name)!;
}
