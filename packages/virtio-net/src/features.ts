/** Who defines a bit: the network device, every virtio device, or vhost (never shown to a driver). */
export type FeatureGroup = 'net' | 'virtio' | 'vhost';

interface FeatureRow {
  readonly name: string;
  readonly bit: number;
  readonly group: FeatureGroup;
  /** Only meaningful without VERSION_1. */
  readonly legacy?: true;
  /** Virtio 1.3, 5.1.3.1: each entry lists alternatives of which one must be negotiated as well. */
  readonly requires?: readonly (readonly string[])[];
  /** Not demanded by the specification, but the feature cannot be used without them. */
  readonly uses?: readonly string[];
}

const CTRL_VQ = [['CTRL_VQ']] as const;
const CSUM = [['CSUM']] as const;
const GUEST_CSUM = [['GUEST_CSUM']] as const;

const ROWS = [
  { name: 'CSUM', bit: 0, group: 'net' },
  { name: 'GUEST_CSUM', bit: 1, group: 'net' },
  { name: 'CTRL_GUEST_OFFLOADS', bit: 2, group: 'net', uses: ['CTRL_VQ'] },
  { name: 'MTU', bit: 3, group: 'net' },
  { name: 'MAC', bit: 5, group: 'net' },
  { name: 'GSO', bit: 6, group: 'net', legacy: true },
  { name: 'GUEST_TSO4', bit: 7, group: 'net', requires: GUEST_CSUM },
  { name: 'GUEST_TSO6', bit: 8, group: 'net', requires: GUEST_CSUM },
  { name: 'GUEST_ECN', bit: 9, group: 'net', requires: [['GUEST_TSO4', 'GUEST_TSO6']] },
  { name: 'GUEST_UFO', bit: 10, group: 'net', requires: GUEST_CSUM },
  { name: 'HOST_TSO4', bit: 11, group: 'net', requires: CSUM },
  { name: 'HOST_TSO6', bit: 12, group: 'net', requires: CSUM },
  { name: 'HOST_ECN', bit: 13, group: 'net', requires: [['HOST_TSO4', 'HOST_TSO6']] },
  { name: 'HOST_UFO', bit: 14, group: 'net', requires: CSUM },
  { name: 'MRG_RXBUF', bit: 15, group: 'net' },
  { name: 'STATUS', bit: 16, group: 'net' },
  { name: 'CTRL_VQ', bit: 17, group: 'net' },
  { name: 'CTRL_RX', bit: 18, group: 'net', requires: CTRL_VQ },
  { name: 'CTRL_VLAN', bit: 19, group: 'net', requires: CTRL_VQ },
  { name: 'CTRL_RX_EXTRA', bit: 20, group: 'net', uses: ['CTRL_VQ'] },
  { name: 'GUEST_ANNOUNCE', bit: 21, group: 'net', requires: CTRL_VQ, uses: ['STATUS'] },
  { name: 'MQ', bit: 22, group: 'net', requires: CTRL_VQ },
  { name: 'CTRL_MAC_ADDR', bit: 23, group: 'net', requires: CTRL_VQ },
  { name: 'NOTIFY_ON_EMPTY', bit: 24, group: 'virtio', legacy: true },
  { name: 'LOG_ALL', bit: 26, group: 'vhost' },
  { name: 'ANY_LAYOUT', bit: 27, group: 'virtio', legacy: true },
  { name: 'INDIRECT_DESC', bit: 28, group: 'virtio' },
  { name: 'EVENT_IDX', bit: 29, group: 'virtio' },
  { name: 'PROTOCOL_FEATURES', bit: 30, group: 'vhost' },
  { name: 'VERSION_1', bit: 32, group: 'virtio' },
  { name: 'ACCESS_PLATFORM', bit: 33, group: 'virtio' },
  { name: 'RING_PACKED', bit: 34, group: 'virtio' },
  { name: 'IN_ORDER', bit: 35, group: 'virtio' },
  { name: 'ORDER_PLATFORM', bit: 36, group: 'virtio' },
  { name: 'SR_IOV', bit: 37, group: 'virtio' },
  { name: 'NOTIFICATION_DATA', bit: 38, group: 'virtio' },
  { name: 'NOTIF_CONFIG_DATA', bit: 39, group: 'virtio' },
  { name: 'RING_RESET', bit: 40, group: 'virtio' },
  { name: 'ADMIN_VQ', bit: 41, group: 'virtio' },
  { name: 'DEVICE_STATS', bit: 50, group: 'net', uses: ['CTRL_VQ'] },
  { name: 'HASH_TUNNEL', bit: 51, group: 'net', requires: [['CTRL_VQ'], ['RSS', 'HASH_REPORT']] },
  { name: 'VQ_NOTF_COAL', bit: 52, group: 'net', requires: CTRL_VQ },
  { name: 'NOTF_COAL', bit: 53, group: 'net', requires: CTRL_VQ },
  { name: 'GUEST_USO4', bit: 54, group: 'net', requires: GUEST_CSUM },
  { name: 'GUEST_USO6', bit: 55, group: 'net', requires: GUEST_CSUM },
  { name: 'HOST_USO', bit: 56, group: 'net', requires: CSUM },
  { name: 'HASH_REPORT', bit: 57, group: 'net', uses: ['CTRL_VQ'] },
  { name: 'GUEST_HDRLEN', bit: 59, group: 'net' },
  { name: 'RSS', bit: 60, group: 'net', requires: CTRL_VQ },
  { name: 'RSC_EXT', bit: 61, group: 'net', requires: [['HOST_TSO4', 'HOST_TSO6']] },
  { name: 'STANDBY', bit: 62, group: 'net' },
  { name: 'SPEED_DUPLEX', bit: 63, group: 'net' },
] as const satisfies readonly FeatureRow[];

/** Name of a feature as the specification writes it, without the VIRTIO_F_ or VIRTIO_NET_F_ in front. */
export type FeatureName = (typeof ROWS)[number]['name'];

/** One feature bit (virtio 1.3, 5.1.3 and 6; bits 26 and 30 are vhost's). */
export interface FeatureDefinition extends FeatureRow {
  readonly name: FeatureName;
  readonly requires?: readonly (readonly FeatureName[])[];
  readonly uses?: readonly FeatureName[];
}

/** Every feature bit below 64, in the order of the bits. */
export const FEATURES: readonly FeatureDefinition[] = ROWS;

const byName = new Map<string, FeatureDefinition>(FEATURES.map((feature) => [feature.name, feature]));
const byBit = new Map<number, FeatureDefinition>(FEATURES.map((feature) => [feature.bit, feature]));

/**
 * The feature of that name; with or without VIRTIO_NET_F_, VIRTIO_F_, VHOST_F_ or VHOST_USER_F_ in front.
 * Throws a RangeError that names an unknown feature.
 */
export function featureByName(name: string): FeatureDefinition {
  const feature = byName.get(name.replace(/^(VIRTIO_NET_F_|VIRTIO_F_|VHOST_F_|VHOST_USER_F_)/, ''));
  if (feature === undefined) {
    throw new RangeError(`"${name}" is not a virtio feature; see the list in virtio 1.3, 5.1.3 and 6`);
  }
  return feature;
}

/** The feature of that bit, or undefined for a bit without a meaning. */
export function featureByBit(bit: number): FeatureDefinition | undefined {
  return byBit.get(bit);
}
