import { RssHasher } from '@vhostlab/packet';
import {
  CTRL_ANNOUNCE,
  CTRL_CLASS,
  CTRL_ERR,
  CTRL_GUEST_OFFLOADS,
  CTRL_HEADER_BYTES,
  CTRL_MAC,
  CTRL_MQ,
  CTRL_NOTF_COAL,
  CTRL_OK,
  CTRL_RX,
  CTRL_VLAN,
} from './control-commands.ts';
import { FeatureSet } from './feature-set.ts';
import type { FeatureName } from './features.ts';
import type { NetConfig } from './net-config.ts';
import { ReceiveFilter, VLAN_IDS } from './receive-filter.ts';
import { ReceiveSteering } from './receive-steering.ts';

/** Features that GUEST_OFFLOADS_SET switches (virtio 1.3, 5.1.6.5.8). */
const GUEST_OFFLOADS = FeatureSet.of(
  'GUEST_CSUM',
  'GUEST_TSO4',
  'GUEST_TSO6',
  'GUEST_ECN',
  'GUEST_UFO',
  'GUEST_USO4',
  'GUEST_USO6',
);

/** Key bytes that addresses and ports of IPv6 need. */
const RSS_KEY_BYTES = 40;

/** Why a command was answered with an error. */
export type ControlRefusal =
  | 'truncated'
  | 'length'
  | 'unknown-command'
  | 'not-negotiated'
  | 'value'
  | 'result-space';

/** Notification coalescing of one queue. */
export interface Coalescing {
  maxPackets: number;
  maxMicroseconds: number;
}

/** What the owner of the device is told after a command took effect. */
export interface ControlCallbacks {
  onPairs?(pairs: number): void;
  onOffloads?(offloads: FeatureSet): void;
  /** `queue` is a virtqueue index. */
  onCoalescing?(queue: number, coalescing: Coalescing): void;
}

/**
 * The device's side of the control virtqueue (virtio 1.3, 5.1.6.5) and the state that its commands change. No
 * command throws, whatever its bytes are; a refused one changes nothing.
 */
export class ControlQueue {
  readonly filter = new ReceiveFilter();
  readonly steering = new ReceiveSteering();
  /** Coalescing by virtqueue index. */
  readonly coalescing: Coalescing[];
  /** Commands by outcome. */
  accepted = 0;
  refused = 0;
  /** Why the last refused command was refused. */
  lastRefusal: ControlRefusal | undefined;
  /** Bytes that the last command wrote behind the ack byte. */
  resultBytes = 0;
  readonly #config: NetConfig;
  readonly #callbacks: ControlCallbacks;
  #features = FeatureSet.EMPTY;
  #offloads = FeatureSet.EMPTY;

  constructor(config: NetConfig, callbacks: ControlCallbacks = {}) {
    this.#config = config;
    this.#callbacks = callbacks;
    this.coalescing = Array.from({ length: config.maxQueuePairs * 2 }, () => ({
      maxPackets: 0,
      maxMicroseconds: 0,
    }));
    this.reset(FeatureSet.EMPTY);
  }

  /** State of a device that has just negotiated `features`, or of a reset one with an empty set. */
  reset(features: FeatureSet): void {
    this.#features = features;
    this.#offloads = features.and(GUEST_OFFLOADS);
    this.#config.resetMac();
    this.filter.reset(this.#config.mac, features.has('CTRL_VLAN'));
    this.steering.reset();
    for (const coalescing of this.coalescing) {
      coalescing.maxPackets = 0;
      coalescing.maxMicroseconds = 0;
    }
  }

  /** Receive offloads that the driver wants at present: the negotiated ones until it says otherwise. */
  get offloads(): FeatureSet {
    return this.#offloads;
  }

  /**
   * Executes the command in `bytes` device-readable bytes at `at`. A result goes to `resultAt`, at most
   * `resultSpace` bytes. Answers the ack byte; the caller writes it in front of the result.
   */
  execute(u8: Uint8Array, at: number, bytes: number, resultAt = 0, resultSpace = 0): number {
    this.resultBytes = 0;
    const refusal = this.#execute(u8, at, bytes, resultAt, resultSpace);
    if (refusal === undefined) {
      this.accepted++;
      return CTRL_OK;
    }
    this.refused++;
    this.lastRefusal = refusal;
    return CTRL_ERR;
  }

  #execute(
    u8: Uint8Array,
    at: number,
    bytes: number,
    resultAt: number,
    resultSpace: number,
  ): ControlRefusal | undefined {
    if (bytes < CTRL_HEADER_BYTES) return 'truncated';
    const command = u8[at + 1];
    const data = at + CTRL_HEADER_BYTES;
    const left = bytes - CTRL_HEADER_BYTES;
    switch (u8[at]) {
      case CTRL_CLASS.RX:
        return this.#rxMode(command, u8, data, left);
      case CTRL_CLASS.MAC:
        return this.#mac(command, u8, data, left);
      case CTRL_CLASS.VLAN:
        return this.#vlan(command, u8, data, left);
      case CTRL_CLASS.ANNOUNCE:
        return this.#announce(command, left);
      case CTRL_CLASS.MQ:
        return this.#multiqueue(command, u8, data, left);
      case CTRL_CLASS.GUEST_OFFLOADS:
        return this.#guestOffloads(command, u8, data, left);
      case CTRL_CLASS.NOTF_COAL:
        return this.#notificationCoalescing(command, u8, data, left, resultAt, resultSpace);
      default:
        return 'unknown-command';
    }
  }

  #needs(feature: FeatureName): ControlRefusal | undefined {
    return this.#features.has(feature) ? undefined : 'not-negotiated';
  }

  #rxMode(command: number, u8: Uint8Array, data: number, left: number): ControlRefusal | undefined {
    if (command > CTRL_RX.NOBCAST) return 'unknown-command';
    const refusal = this.#needs(command <= CTRL_RX.ALLMULTI ? 'CTRL_RX' : 'CTRL_RX_EXTRA');
    if (refusal !== undefined) return refusal;
    if (left !== 1) return 'length';
    const on = u8[data] !== 0;
    const { filter } = this;
    if (command === CTRL_RX.PROMISC) filter.promiscuous = on;
    else if (command === CTRL_RX.ALLMULTI) filter.allMulticast = on;
    else if (command === CTRL_RX.ALLUNI) filter.allUnicast = on;
    else if (command === CTRL_RX.NOMULTI) filter.noMulticast = on;
    else if (command === CTRL_RX.NOUNI) filter.noUnicast = on;
    else filter.noBroadcast = on;
    return undefined;
  }

  #mac(command: number, u8: Uint8Array, data: number, left: number): ControlRefusal | undefined {
    if (command === CTRL_MAC.ADDR_SET) {
      const refusal = this.#needs('CTRL_MAC_ADDR');
      if (refusal !== undefined) return refusal;
      if (left !== 6) return 'length';
      this.#config.setMac(u8, data);
      this.filter.setMac(u8, data);
      return undefined;
    }
    if (command !== CTRL_MAC.TABLE_SET) return 'unknown-command';
    const refusal = this.#needs('CTRL_RX');
    if (refusal !== undefined) return refusal;
    if (left < 8) return 'length';
    const unicast = read32(u8, data);
    const multicastAt = data + 4 + unicast * 6;
    if (4 + unicast * 6 + 4 > left) return 'length';
    const multicast = read32(u8, multicastAt);
    if (8 + (unicast + multicast) * 6 !== left) return 'length';
    this.filter.unicast.set(u8, data + 4, unicast);
    this.filter.multicast.set(u8, multicastAt + 4, multicast);
    return undefined;
  }

  #vlan(command: number, u8: Uint8Array, data: number, left: number): ControlRefusal | undefined {
    if (command > CTRL_VLAN.DEL) return 'unknown-command';
    const refusal = this.#needs('CTRL_VLAN');
    if (refusal !== undefined) return refusal;
    if (left !== 2) return 'length';
    const id = read16(u8, data);
    if (id >= VLAN_IDS) return 'value';
    this.filter.setVlan(id, command === CTRL_VLAN.ADD);
    return undefined;
  }

  #announce(command: number, left: number): ControlRefusal | undefined {
    if (command !== CTRL_ANNOUNCE.ACK) return 'unknown-command';
    const refusal = this.#needs('GUEST_ANNOUNCE');
    if (refusal !== undefined) return refusal;
    if (left !== 0) return 'length';
    if (!this.#config.announcing) return 'value';
    this.#config.setAnnounce(false);
    return undefined;
  }

  #multiqueue(command: number, u8: Uint8Array, data: number, left: number): ControlRefusal | undefined {
    if (command === CTRL_MQ.RSS_CONFIG) return this.#needs('RSS') ?? this.#rssConfig(u8, data, left);
    if (command === CTRL_MQ.HASH_CONFIG) {
      return this.#needs('HASH_REPORT') ?? this.#hashConfig(u8, data, left);
    }
    if (command !== CTRL_MQ.VQ_PAIRS_SET) return 'unknown-command';
    const refusal = this.#needs('MQ');
    if (refusal !== undefined) return refusal;
    if (left !== 2) return 'length';
    const pairs = read16(u8, data);
    if (pairs < 1 || pairs > this.#config.maxQueuePairs) return 'value';
    this.steering.setPairs(pairs);
    this.#callbacks.onPairs?.(pairs);
    return undefined;
  }

  /** Virtio 1.3, 5.1.6.5.7: `hash_types, mask, unclassified, table[mask + 1], max_tx_vq, key_len, key`. */
  #rssConfig(u8: Uint8Array, data: number, left: number): ControlRefusal | undefined {
    if (left < 13) return 'length';
    const types = read32(u8, data);
    const entries = read16(u8, data + 4) + 1;
    const unclassified = read16(u8, data + 6);
    const tail = 8 + entries * 2;
    if (left < tail + 3) return 'length';
    const pairs = read16(u8, data + tail);
    const keyBytes = u8[data + tail + 2];
    if (left !== tail + 3 + keyBytes) return 'length';
    const { maxQueuePairs, rssMaxTableEntries } = this.#config;
    if ((entries & (entries - 1)) !== 0 || entries > rssMaxTableEntries) return 'value';
    if (pairs < 1 || pairs > maxQueuePairs || unclassified >= maxQueuePairs) return 'value';
    const table = new Uint16Array(entries);
    for (let i = 0; i < entries; i++) {
      table[i] = read16(u8, data + 8 + i * 2);
      if (table[i] >= maxQueuePairs) return 'value';
    }
    const hasher = this.#hasher(u8, types, data + tail + 3, keyBytes);
    if (hasher === undefined) return 'value';
    this.steering.setRss(hasher, table, unclassified, pairs, this.#features.has('HASH_REPORT'));
    this.#callbacks.onPairs?.(pairs);
    return undefined;
  }

  /** Virtio 1.3, 5.1.6.5.6.4: `hash_types, reserved[4], key_len, key`. */
  #hashConfig(u8: Uint8Array, data: number, left: number): ControlRefusal | undefined {
    if (left < 13 || left !== 13 + u8[data + 12]) return 'length';
    const types = read32(u8, data);
    const hasher = this.#hasher(u8, types, data + 13, left - 13);
    if (hasher === undefined) return 'value';
    this.steering.setHash(types === 0 ? undefined : hasher);
    return undefined;
  }

  /** A hasher for a key of the driver, with zeros behind a short one; undefined for types or keys that the device does not have. */
  #hasher(u8: Uint8Array, types: number, keyAt: number, keyBytes: number): RssHasher | undefined {
    if ((types & ~this.#config.hashTypes) !== 0 || keyBytes > this.#config.rssMaxKeyBytes) return undefined;
    if (keyBytes === 0 && types !== 0) return undefined;
    const key = new Uint8Array(Math.max(RSS_KEY_BYTES, keyBytes));
    key.set(u8.subarray(keyAt, keyAt + keyBytes));
    return new RssHasher(key, types);
  }

  #guestOffloads(command: number, u8: Uint8Array, data: number, left: number): ControlRefusal | undefined {
    if (command !== CTRL_GUEST_OFFLOADS.SET) return 'unknown-command';
    const refusal = this.#needs('CTRL_GUEST_OFFLOADS');
    if (refusal !== undefined) return refusal;
    if (left !== 8) return 'length';
    const wanted = new FeatureSet(read32(u8, data), read32(u8, data + 4));
    if (!wanted.minus(this.#features.and(GUEST_OFFLOADS)).isEmpty) return 'value';
    this.#offloads = wanted;
    this.#callbacks.onOffloads?.(wanted);
    return undefined;
  }

  #notificationCoalescing(
    command: number,
    u8: Uint8Array,
    data: number,
    left: number,
    resultAt: number,
    resultSpace: number,
  ): ControlRefusal | undefined {
    if (command > CTRL_NOTF_COAL.VQ_GET) return 'unknown-command';
    const all = command <= CTRL_NOTF_COAL.RX_SET;
    const refusal = this.#needs(all ? 'NOTF_COAL' : 'VQ_NOTF_COAL');
    if (refusal !== undefined) return refusal;
    if (left !== (all ? 8 : command === CTRL_NOTF_COAL.VQ_SET ? 12 : 4)) return 'length';
    if (all) {
      const parity = command === CTRL_NOTF_COAL.RX_SET ? 0 : 1;
      for (let queue = parity; queue < this.coalescing.length; queue += 2) this.#coalesce(queue, u8, data);
      return undefined;
    }
    const queue = read16(u8, data);
    if (queue >= this.coalescing.length) return 'value';
    if (command === CTRL_NOTF_COAL.VQ_SET) {
      this.#coalesce(queue, u8, data + 4);
      return undefined;
    }
    if (resultSpace < 8) return 'result-space';
    const { maxPackets, maxMicroseconds } = this.coalescing[queue];
    write32(u8, resultAt, maxPackets);
    write32(u8, resultAt + 4, maxMicroseconds);
    this.resultBytes = 8;
    return undefined;
  }

  #coalesce(queue: number, u8: Uint8Array, at: number): void {
    const coalescing = this.coalescing[queue];
    coalescing.maxPackets = read32(u8, at);
    coalescing.maxMicroseconds = read32(u8, at + 4);
    this.#callbacks.onCoalescing?.(queue, coalescing);
  }
}

function read16(u8: Uint8Array, at: number): number {
  return u8[at] | (u8[at + 1] << 8);
}

function read32(u8: Uint8Array, at: number): number {
  return (u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24)) >>> 0;
}

function write32(u8: Uint8Array, at: number, value: number): void {
  u8[at] = value;
  u8[at + 1] = value >>> 8;
  u8[at + 2] = value >>> 16;
  u8[at + 3] = value >>> 24;
}
