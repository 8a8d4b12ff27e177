/** Who broke a rule. `either`: memory alone does not show which of the two it was. */
export type Party = 'driver' | 'device' | 'either';

/** A rule of the rings that an observer checks. */
export interface RingRule {
  readonly party: Party;
  /** The rule in one sentence. */
  readonly rule: string;
  /** Where it stands: virtio 1.3 unless it says otherwise. */
  readonly clause: string;
}

const DRIVER = 'driver';
const DEVICE = 'device';
const virtio = (section: string) => `virtio 1.3, ${section}`;

/** Every rule by its code. Codes are stable: logs, records and tests name them. */
export const RING_RULES = {
  'avail-index-jump': {
    party: DRIVER,
    rule: 'a driver has at most as many buffers outstanding as the queue has descriptors',
    clause: virtio('2.7.13'),
  },
  'avail-index-back': {
    party: DRIVER,
    rule: 'a driver must not decrement the available index',
    clause: virtio('2.7.6.1'),
  },
  'avail-flags': {
    party: DRIVER,
    rule: 'the flags of the available ring are 0 or 1',
    clause: virtio('2.7.7.1'),
  },
  'avail-head-range': {
    party: DRIVER,
    rule: 'an entry of the available ring is a descriptor of the table',
    clause: virtio('2.7.6'),
  },
  'avail-head-busy': {
    party: DRIVER,
    rule: 'a buffer that is outstanding is not offered again',
    clause: virtio('2.7.13.1'),
  },
  'next-range': {
    party: DRIVER,
    rule: 'next of a descriptor is a descriptor of the same table',
    clause: virtio('2.7.5'),
  },
  'chain-loop': {
    party: DRIVER,
    rule: 'a chain of descriptors has no loop',
    clause: virtio('2.7.5.2 and 2.8.17'),
  },
  'chain-long': {
    party: DRIVER,
    rule: 'a chain is not longer than the queue',
    clause: virtio('2.7.5.3.1 and 2.8.17'),
  },
  'chain-bytes': {
    party: DRIVER,
    rule: 'a chain describes at most 2^32 bytes',
    clause: virtio('2.7.5.2'),
  },
  'chain-changed': {
    party: DRIVER,
    rule: 'what a driver has made available stays as it is until it is used',
    clause: virtio('2.7.13 and 2.7.13.1'),
  },
  'chain-torn': {
    party: DRIVER,
    rule: 'all descriptors of a list are available before its first one is',
    clause: virtio('2.8.17'),
  },
  'indirect-feature': {
    party: DRIVER,
    rule: 'INDIRECT needs VIRTIO_F_INDIRECT_DESC',
    clause: virtio('2.7.5.3.1 and 2.8.19'),
  },
  'indirect-length': {
    party: DRIVER,
    rule: 'an indirect table is one or more whole descriptors',
    clause: virtio('2.7.5.3 and 2.8.7'),
  },
  'indirect-nested': {
    party: DRIVER,
    rule: 'an indirect table has no INDIRECT descriptor',
    clause: virtio('2.7.5.3.1 and 2.8.19'),
  },
  'indirect-next': {
    party: DRIVER,
    rule: 'INDIRECT and NEXT do not go together',
    clause: virtio('2.7.5.3.1 and 2.8.19'),
  },
  'indirect-outside': {
    party: DRIVER,
    rule: 'an indirect table lies in guest memory',
    clause: virtio('2.7.5.3 and 2.8.7'),
  },
  'read-after-write': {
    party: DRIVER,
    rule: 'device-writable descriptors come after device-readable ones',
    clause: virtio('2.7.4.2 and 2.8.17'),
  },
  'address-outside': {
    party: DRIVER,
    rule: 'a buffer lies in the memory that the front end has announced',
    clause: 'vhost-user, Memory region description',
  },
  'id-range': {
    party: DRIVER,
    rule: 'a buffer id is below the queue size, as drivers and devices index their tables with it',
    clause: virtio('2.8.22'),
  },
  'id-busy': {
    party: DRIVER,
    rule: 'a buffer id is given away once until it comes back',
    clause: virtio('2.8.21.1'),
  },
  'driver-event': {
    party: DRIVER,
    rule: 'the driver event suppression structure has known flags and a descriptor of the ring',
    clause: virtio('2.8.10 and 2.8.14'),
  },
  'rx-readable': {
    party: DRIVER,
    rule: 'a receive buffer is device-writable',
    clause: virtio('5.1.6.3'),
  },
  'rx-short': {
    party: DRIVER,
    rule: 'a receive buffer has room for what the negotiated features need',
    clause: virtio('5.1.6.3.1'),
  },
  'tx-writable': {
    party: DRIVER,
    rule: 'a transmit buffer is device-readable',
    clause: virtio('5.1.6.2'),
  },
  'tx-no-header': {
    party: DRIVER,
    rule: 'a transmit buffer begins with a whole virtio_net_hdr',
    clause: virtio('5.1.6'),
  },
  'tx-frame-short': {
    party: DRIVER,
    rule: 'a frame has at least its Ethernet header behind the virtio_net_hdr',
    clause: virtio('5.1.6.2'),
  },
  'tx-frame-long': {
    party: DRIVER,
    rule: 'a frame is not longer than the longest IP packet',
    clause: virtio('5.1.6.2'),
  },
  'tx-csum-feature': {
    party: DRIVER,
    rule: 'NEEDS_CSUM needs VIRTIO_NET_F_CSUM',
    clause: virtio('5.1.6.2.1'),
  },
  'tx-csum-range': {
    party: DRIVER,
    rule: 'csum_start and csum_offset lie inside the frame',
    clause: virtio('5.1.6.2.1'),
  },
  'tx-gso-type': {
    party: DRIVER,
    rule: 'gso_type is one of the defined types',
    clause: virtio('5.1.6.2.1'),
  },
  'tx-gso-feature': {
    party: DRIVER,
    rule: 'gso_type needs the VIRTIO_NET_F_HOST_ feature of its type',
    clause: virtio('5.1.6.2.1'),
  },
  'tx-gso-size': {
    party: DRIVER,
    rule: 'gso_size is above 0 with any gso_type but NONE',
    clause: virtio('5.1.6.2.1'),
  },
  'tx-gso-csum': {
    party: DRIVER,
    rule: 'any gso_type but NONE comes with NEEDS_CSUM',
    clause: virtio('5.1.6.2.1'),
  },
  'tx-hdr-len': {
    party: DRIVER,
    rule: 'hdr_len of a segmented frame is not beyond its end',
    clause: virtio('5.1.6.2.1'),
  },
  'used-index-jump': {
    party: DEVICE,
    rule: 'a device uses no more buffers than were made available',
    clause: virtio('2.7.8'),
  },
  'used-index-back': {
    party: 'either',
    rule: 'the used index only increases, and the device alone writes it',
    clause: virtio('2.7.8'),
  },
  'used-flags': {
    party: 'either',
    rule: 'the flags of the used ring are 0 or 1, and the device alone writes them',
    clause: virtio('2.7.10.2'),
  },
  'used-id-range': {
    party: DEVICE,
    rule: 'the id of a used buffer is one that a driver can have offered',
    clause: virtio('2.7.8 and 2.8.22'),
  },
  'used-id-unknown': {
    party: DEVICE,
    rule: 'a used buffer is one that was offered and has not been used yet',
    clause: virtio('2.7.8 and 2.8.15'),
  },
  'used-length': {
    party: DEVICE,
    rule: 'a device writes no more bytes than the buffer has room for',
    clause: virtio('2.7.8.2 and 2.8.4'),
  },
  'used-entry-changed': {
    party: 'either',
    rule: 'a published entry of the used ring stays as it is, and the device alone writes it',
    clause: virtio('2.7.8'),
  },
  'device-event': {
    party: DEVICE,
    rule: 'the device event suppression structure has known flags and a descriptor of the ring',
    clause: virtio('2.8.10 and 2.8.14'),
  },
  'index-gap': {
    party: 'either',
    rule: 'the available index is ahead of the used index by at most the queue size',
    clause: virtio('2.7.6 and 2.7.8'),
  },
} as const satisfies Record<string, RingRule>;

/** Code of a rule of the rings. */
export type RingRuleCode = keyof typeof RING_RULES;

/** A rule that somebody broke, with the place and the figures. */
export interface RingViolation {
  readonly code: RingRuleCode;
  readonly queue: number;
  readonly party: Party;
  /** What was seen, in one sentence with figures. */
  readonly text: string;
  readonly clause: string;
}

/** Makes a violation; `party` only where the ring showed more than the rule says. */
export function ringViolation(
  code: RingRuleCode,
  queue: number,
  text: string,
  party: Party = RING_RULES[code].party,
): RingViolation {
  return { code, queue, party, text, clause: RING_RULES[code].clause };
}
