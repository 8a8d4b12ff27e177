import {
  CTRL_ANNOUNCE,
  CTRL_CLASS,
  CTRL_GUEST_OFFLOADS,
  CTRL_HEADER_BYTES,
  CTRL_MAC,
  CTRL_MQ,
  CTRL_NOTF_COAL,
  type CTRL_RX,
  CTRL_VLAN,
} from './control-commands.ts';
import type { FeatureSet } from './feature-set.ts';

/** What RSS_CONFIG asks for (virtio 1.3, 5.1.6.5.7). */
export interface RssConfig {
  hashTypes: number;
  /** Receive queues by hash, a power of two of them; queue n is receiveq(n+1). */
  table: ArrayLike<number>;
  /** Receive queue for packets that cannot be hashed. */
  unclassifiedQueue: number;
  /** Transmit queues in use, 1 to the maximum. */
  maxTxQueues: number;
  key: Uint8Array;
}

function command(commandClass: number, number: number, dataBytes: number): Uint8Array {
  const bytes = new Uint8Array(CTRL_HEADER_BYTES + dataBytes);
  bytes[0] = commandClass;
  bytes[1] = number;
  return bytes;
}

function word(bytes: Uint8Array, at: number, value: number, width: number): void {
  for (let i = 0; i < width; i++) bytes[at + i] = Math.floor(value / 2 ** (8 * i)) & 0xff;
}

/** One receive mode on or off: `mode` is a command of CTRL_RX. */
export function encodeRxMode(mode: (typeof CTRL_RX)[keyof typeof CTRL_RX], on: boolean): Uint8Array {
  const bytes = command(CTRL_CLASS.RX, mode, 1);
  bytes[2] = on ? 1 : 0;
  return bytes;
}

/** Replaces both address tables; every address has six bytes. */
export function encodeMacTable(
  unicast: readonly ArrayLike<number>[],
  multicast: readonly ArrayLike<number>[],
): Uint8Array {
  const bytes = command(CTRL_CLASS.MAC, CTRL_MAC.TABLE_SET, 8 + 6 * (unicast.length + multicast.length));
  let at = CTRL_HEADER_BYTES;
  for (const table of [unicast, multicast]) {
    word(bytes, at, table.length, 4);
    at += 4;
    for (const address of table) {
      bytes.set(address, at);
      at += 6;
    }
  }
  return bytes;
}

/** Sets the device's address. */
export function encodeMacAddress(address: ArrayLike<number>): Uint8Array {
  const bytes = command(CTRL_CLASS.MAC, CTRL_MAC.ADDR_SET, 6);
  bytes.set(address, CTRL_HEADER_BYTES);
  return bytes;
}

/** Lets a VLAN through the filter, or no longer. */
export function encodeVlan(id: number, add: boolean): Uint8Array {
  const bytes = command(CTRL_CLASS.VLAN, add ? CTRL_VLAN.ADD : CTRL_VLAN.DEL, 2);
  word(bytes, CTRL_HEADER_BYTES, id, 2);
  return bytes;
}

/** Tells the device that the gratuitous packets are on their way. */
export function encodeAnnounceAck(): Uint8Array {
  return command(CTRL_CLASS.ANNOUNCE, CTRL_ANNOUNCE.ACK, 0);
}

/** Sets the number of queue pairs in use; automatic receive steering. */
export function encodeQueuePairs(pairs: number): Uint8Array {
  const bytes = command(CTRL_CLASS.MQ, CTRL_MQ.VQ_PAIRS_SET, 2);
  word(bytes, CTRL_HEADER_BYTES, pairs, 2);
  return bytes;
}

/** Steers received packets by their hash. */
export function encodeRss(config: RssConfig): Uint8Array {
  const entries = config.table.length;
  const bytes = command(CTRL_CLASS.MQ, CTRL_MQ.RSS_CONFIG, 11 + 2 * entries + config.key.length);
  word(bytes, 2, config.hashTypes, 4);
  word(bytes, 6, entries - 1, 2);
  word(bytes, 8, config.unclassifiedQueue, 2);
  for (let i = 0; i < entries; i++) word(bytes, 10 + 2 * i, config.table[i], 2);
  const at = 10 + 2 * entries;
  word(bytes, at, config.maxTxQueues, 2);
  bytes[at + 2] = config.key.length;
  bytes.set(config.key, at + 3);
  return bytes;
}

/** Asks for hashes in received headers (HASH_REPORT). */
export function encodeHash(hashTypes: number, key: Uint8Array): Uint8Array {
  const bytes = command(CTRL_CLASS.MQ, CTRL_MQ.HASH_CONFIG, 13 + key.length);
  word(bytes, 2, hashTypes, 4);
  bytes[14] = key.length;
  bytes.set(key, 15);
  return bytes;
}

/** Sets the receive offloads in use: GUEST_* features only. */
export function encodeGuestOffloads(offloads: FeatureSet): Uint8Array {
  const bytes = command(CTRL_CLASS.GUEST_OFFLOADS, CTRL_GUEST_OFFLOADS.SET, 8);
  word(bytes, 2, offloads.low, 4);
  word(bytes, 6, offloads.high, 4);
  return bytes;
}

/** Sets the notification coalescing of all receive or all transmit queues. */
export function encodeCoalescing(receive: boolean, maxPackets: number, maxMicroseconds: number): Uint8Array {
  const bytes = command(CTRL_CLASS.NOTF_COAL, receive ? CTRL_NOTF_COAL.RX_SET : CTRL_NOTF_COAL.TX_SET, 8);
  word(bytes, 2, maxPackets, 4);
  word(bytes, 6, maxMicroseconds, 4);
  return bytes;
}

/** Sets the notification coalescing of one queue. */
export function encodeQueueCoalescing(
  queue: number,
  maxPackets: number,
  maxMicroseconds: number,
): Uint8Array {
  const bytes = command(CTRL_CLASS.NOTF_COAL, CTRL_NOTF_COAL.VQ_SET, 12);
  word(bytes, 2, queue, 2);
  word(bytes, 6, maxPackets, 4);
  word(bytes, 10, maxMicroseconds, 4);
  return bytes;
}

/** Asks for the notification coalescing of one queue: `max_packets` and `max_usecs` come back, 8 bytes. */
export function encodeQueueCoalescingGet(queue: number): Uint8Array {
  const bytes = command(CTRL_CLASS.NOTF_COAL, CTRL_NOTF_COAL.VQ_GET, 4);
  word(bytes, 2, queue, 2);
  return bytes;
}
