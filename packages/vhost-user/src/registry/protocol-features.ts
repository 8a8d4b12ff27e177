import type { NetUse, Peer, Source } from './kinds.ts';

interface ProtocolFeatureRow {
  readonly name: string;
  readonly bit: number;
  readonly net: NetUse;
  readonly source: Source;
  /** Who offers or acknowledges it. */
  readonly peers: readonly Peer[];
  /** Bits that must be negotiated as well (vhost-user, "Protocol features"). */
  readonly requires?: readonly string[];
  /** What else was found under this number or name. */
  readonly collision?: string;
  /** What implementations do with it. */
  readonly note?: string;
}

const ROWS = [
  { name: 'MQ', bit: 0, net: 'N', source: 'qemu-10.2', peers: ['FE', 'LVU', 'DPDK', 'vU', 'RV', 'CR'] },
  {
    name: 'LOG_SHMFD',
    bit: 1,
    net: 'O',
    source: 'qemu-10.2',
    peers: ['FE', 'LVU', 'DPDK', 'RV', 'PA'],
    note: 'without it QEMU blocks migration',
  },
  { name: 'RARP', bit: 2, net: 'O', source: 'qemu-10.2', peers: ['FE', 'DPDK', 'RV', 'PA'] },
  {
    name: 'REPLY_ACK',
    bit: 3,
    net: 'N',
    source: 'qemu-10.2',
    peers: ['FE', 'LVU', 'DPDK', 'vU', 'RV', 'CR', 'PA'],
  },
  {
    name: 'MTU',
    bit: 4,
    net: 'O',
    source: 'qemu-10.2',
    peers: ['FE', 'DPDK', 'RV'],
    note: 'QEMU calls it NET_MTU',
  },
  {
    name: 'BACKEND_REQ',
    bit: 5,
    net: 'O',
    source: 'qemu-10.2',
    peers: ['FE', 'LVU', 'DPDK', 'RV', 'CR'],
    note: 'SLAVE_REQ in older texts',
  },
  { name: 'CROSS_ENDIAN', bit: 6, net: '-', source: 'qemu-10.2', peers: ['FE', 'RV'] },
  { name: 'CRYPTO_SESSION', bit: 7, net: '-', source: 'qemu-10.2', peers: ['FE', 'DPDK', 'RV'] },
  { name: 'PAGEFAULT', bit: 8, net: 'O', source: 'qemu-10.2', peers: ['FE', 'LVU', 'DPDK', 'RV'] },
  {
    name: 'CONFIG',
    bit: 9,
    net: 'O',
    source: 'qemu-10.2',
    peers: ['FE', 'LVU', 'DPDK', 'RV', 'CR'],
    note: 'QEMU suppresses it for network devices, with a warning; cloud-hypervisor uses it',
  },
  {
    name: 'BACKEND_SEND_FD',
    bit: 10,
    net: 'O',
    source: 'qemu-10.2',
    peers: ['FE', 'LVU', 'DPDK', 'RV'],
    requires: ['BACKEND_REQ'],
  },
  { name: 'HOST_NOTIFIER', bit: 11, net: 'O', source: 'qemu-10.2', peers: ['FE', 'LVU', 'DPDK', 'RV'] },
  { name: 'INFLIGHT_SHMFD', bit: 12, net: 'O', source: 'qemu-10.2', peers: ['FE', 'LVU', 'DPDK', 'RV'] },
  { name: 'RESET_DEVICE', bit: 13, net: 'O', source: 'qemu-10.2', peers: ['FE', 'RV'] },
  {
    name: 'INBAND_NOTIFICATIONS',
    bit: 14,
    net: 'O',
    source: 'qemu-10.2',
    peers: ['LVU', 'RV'],
    requires: ['BACKEND_REQ', 'REPLY_ACK'],
    note: 'acknowledged without what it requires, a back end must close the connection',
  },
  {
    name: 'CONFIGURE_MEM_SLOTS',
    bit: 15,
    net: 'N',
    source: 'qemu-10.2',
    peers: ['FE', 'LVU', 'DPDK', 'RV'],
    note: 'needed with QEMU in practice',
  },
  { name: 'STATUS', bit: 16, net: 'O', source: 'qemu-10.2', peers: ['FE', 'DPDK', 'vU', 'RV'] },
  {
    name: 'XEN_MMAP',
    bit: 17,
    net: '-',
    source: 'qemu-10.2',
    peers: ['RV'],
    collision: 'SHARED_OBJECT had bit 17 too until QEMU commit d4eb503808 (2023-10-22)',
  },
  {
    name: 'SHARED_OBJECT',
    bit: 18,
    net: '-',
    source: 'qemu-10.2',
    peers: ['FE', 'LVU', 'RV'],
    collision: 'bit 17 before QEMU commit d4eb503808 (2023-10-22)',
  },
  {
    name: 'DEVICE_STATE',
    bit: 19,
    net: 'O',
    source: 'qemu-10.2',
    peers: ['FE', 'RV', 'CR', 'PA'],
    note: 'passt uses it with virtio-net of QEMU',
  },
  { name: 'GET_VRING_BASE_INFLIGHT', bit: 20, net: '-', source: 'qemu-11', peers: ['RV'] },
  {
    name: 'GPA_ADDRESSES',
    bit: 21,
    net: '-',
    source: 'qemu-11',
    peers: [],
    collision: 'rust-vmm vhost 0.16 has SHMEM at bit 21 (rust-vmm/vhost#367); in QEMU it is 22',
    note: 'QEMU commit be51b7177c',
  },
  {
    name: 'SHMEM',
    bit: 22,
    net: '-',
    source: 'qemu-11',
    peers: ['CR'],
    collision: 'bit 21 in rust-vmm vhost 0.16',
    note: 'QEMU commit 588acb45c29f',
  },
] as const satisfies readonly ProtocolFeatureRow[];

/** Name of a protocol feature, without VHOST_USER_PROTOCOL_F_ in front. */
export type ProtocolFeatureName = (typeof ROWS)[number]['name'];

/** One bit of GET_PROTOCOL_FEATURES and SET_PROTOCOL_FEATURES. */
export interface ProtocolFeature extends ProtocolFeatureRow {
  readonly name: ProtocolFeatureName;
  readonly requires?: readonly ProtocolFeatureName[];
}

/** Every protocol feature, in the order of the bits. */
export const PROTOCOL_FEATURES: readonly ProtocolFeature[] = ROWS;

/** Masks by name: `PROTOCOL_F.REPLY_ACK === 8n`. */
export const PROTOCOL_F = Object.freeze(
  Object.fromEntries(ROWS.map((row) => [row.name, 1n << BigInt(row.bit)])),
) as { readonly [N in ProtocolFeatureName]: bigint };

/** The mask of these protocol features. */
export function protocolMask(...names: ProtocolFeatureName[]): bigint {
  return names.reduce((mask, name) => mask | PROTOCOL_F[name], 0n);
}

/** Names of the bits that are set, rising; `bit N` for one without a name. */
export function protocolFeatureNames(mask: bigint): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if (((mask >> BigInt(bit)) & 1n) === 0n) continue;
    names.push(PROTOCOL_FEATURES.find((feature) => feature.bit === bit)?.name ?? `bit ${bit}`);
  }
  return names;
}

/** Features of the mask that lack one they require, as [feature, missing] pairs. */
export function missingRequirements(mask: bigint): [ProtocolFeatureName, ProtocolFeatureName][] {
  return PROTOCOL_FEATURES.filter((feature) => (mask & PROTOCOL_F[feature.name]) !== 0n).flatMap((feature) =>
    (feature.requires ?? [])
      .filter((name) => (mask & PROTOCOL_F[name]) === 0n)
      .map((name): [ProtocolFeatureName, ProtocolFeatureName] => [feature.name, name]),
  );
}
