import { memoryOf } from './memory-replay.ts';
import type { FieldKind } from './ring-fields.ts';
import type { Tap } from './taps.ts';

/** One place of a ring, found by its address. */
export interface RingPlace {
  /** `tx desc[3]`, `rx used.idx`. */
  what: string;
  kind: FieldKind;
  /** Offset of its first byte in the memory. */
  offset: number;
  bytes: number;
}

/** One virtqueue as the driver set it up through its registers. */
export interface VirtqueueSetup {
  guest: number;
  /** virtio-net: even receive, odd transmit. */
  index: number;
  name: string;
  size: number;
  vector: number;
  packed: boolean;
  eventIdx: boolean;
  desc: number;
  driver: number;
  device: number;
}

interface Area {
  memory: string;
  from: number;
  to: number;
  place(offset: number): RingPlace;
}

/** Offsets in struct virtio_pci_common_cfg (virtio 1.3, 4.1.4.3). */
export const COMMON = {
  device_feature_select: 0x00,
  device_feature: 0x04,
  driver_feature_select: 0x08,
  driver_feature: 0x0c,
  config_msix_vector: 0x10,
  num_queues: 0x12,
  device_status: 0x14,
  queue_select: 0x16,
  queue_size: 0x18,
  queue_msix_vector: 0x1a,
  queue_enable: 0x1c,
  queue_notify_off: 0x1e,
  queue_desc: 0x20,
  queue_driver: 0x28,
  queue_device: 0x30,
} as const;

/** Registers of a host driver's NIC queue pair. */
const NICQ = { rxOffset: 8, rxSize: 12, txOffset: 16, txSize: 20, enable: 24 } as const;
const F_EVENT_IDX = 29;
const F_RING_PACKED = 34;
const DESC_BYTES = 16;

/** Where rings are, learnt from the register accesses that set them up. */
export class RingMap {
  readonly virtqueues: VirtqueueSetup[] = [];
  readonly #areas: Area[] = [];
  readonly #registers = new Map<string, Map<number, number>>();

  /** Takes every tap in the order of the log. Answers the queue that this one enabled, if it did. */
  learn(tap: Tap): VirtqueueSetup | undefined {
    if (tap.kind !== 'write') return undefined;
    const registers = this.#registers.get(tap.channel) ?? new Map<number, number>();
    this.#registers.set(tap.channel, registers);
    const isFeature = tap.channel.startsWith('pci.') && tap.register === COMMON.driver_feature;
    const key = isFeature ? featureKey(registers.get(COMMON.driver_feature_select) ?? 0) : tap.register;
    registers.set(key, tap.value);
    if (tap.channel.startsWith('pci.') && tap.register === COMMON.queue_enable && tap.value === 1) {
      return this.#enableVirtqueue(Number(tap.channel.split('.')[1]), registers);
    }
    if (tap.channel.startsWith('nicq.') && tap.register === NICQ.enable && tap.value === 1) {
      const memory = memoryOf(tap.channel) as string;
      this.#nicRing(memory, 'nic.rx', registers.get(NICQ.rxOffset) ?? 0, registers.get(NICQ.rxSize) ?? 0);
      this.#nicRing(memory, 'nic.tx', registers.get(NICQ.txOffset) ?? 0, registers.get(NICQ.txSize) ?? 0);
    }
    return undefined;
  }

  /** Places of rings in `[offset, offset + length)` of a memory; nothing where buffers are. */
  places(memory: string, offset: number, length: number): RingPlace[] {
    const places: RingPlace[] = [];
    for (let at = offset; at < offset + length; ) {
      const area = this.#areas.find((one) => one.memory === memory && at >= one.from && at < one.to);
      if (area === undefined) return places;
      const place = area.place(at);
      places.push(place);
      at = place.offset + place.bytes;
    }
    return places;
  }

  #enableVirtqueue(guest: number, registers: ReadonlyMap<number, number>): VirtqueueSetup {
    const word = (register: number): number =>
      (registers.get(register) ?? 0) + (registers.get(register + 4) ?? 0) * 4294967296;
    const has = (bit: number): boolean =>
      (((registers.get(featureKey(bit >>> 5)) ?? 0) >>> (bit & 31)) & 1) === 1;
    const index = registers.get(COMMON.queue_select) ?? 0;
    const pair = index < 2 ? '' : String(index >>> 1);
    const queue: VirtqueueSetup = {
      guest,
      index,
      name: `${(index & 1) === 0 ? 'rx' : 'tx'}${pair}`,
      size: registers.get(COMMON.queue_size) ?? 0,
      vector: registers.get(COMMON.queue_msix_vector) ?? 0xffff,
      packed: has(F_RING_PACKED),
      eventIdx: has(F_EVENT_IDX),
      desc: word(COMMON.queue_desc),
      driver: word(COMMON.queue_driver),
      device: word(COMMON.queue_device),
    };
    this.virtqueues.push(queue);
    if (queue.packed) this.#packed(queue);
    else this.#split(queue);
    return queue;
  }

  /** virtio 1.3, 2.7.5, 2.7.6 and 2.7.8. */
  #split({ guest, name, size, desc, driver, device }: VirtqueueSetup): void {
    const memory = `guest${guest}`;
    this.#array(memory, desc, size, DESC_BYTES, `${name} desc`, 'split.desc');
    this.#word(memory, driver, `${name} avail.flags`, 'split.flags');
    this.#word(memory, driver + 2, `${name} avail.idx`, 'split.index');
    this.#array(memory, driver + 4, size, 2, `${name} avail.ring`, 'split.entry');
    this.#word(memory, driver + 4 + 2 * size, `${name} used_event`, 'split.event');
    this.#word(memory, device, `${name} used.flags`, 'split.flags');
    this.#word(memory, device + 2, `${name} used.idx`, 'split.index');
    this.#array(memory, device + 4, size, 8, `${name} used.ring`, 'split.used');
    this.#word(memory, device + 4 + 8 * size, `${name} avail_event`, 'split.event');
  }

  /** virtio 1.3, 2.8.13 and 2.8.14. */
  #packed({ guest, name, size, desc, driver, device }: VirtqueueSetup): void {
    const memory = `guest${guest}`;
    this.#array(memory, desc, size, DESC_BYTES, `${name} desc`, 'packed.desc');
    this.#area(memory, driver, 4, () => ({
      what: `${name} driver event`,
      kind: 'packed.event',
      offset: driver,
      bytes: 4,
    }));
    this.#area(memory, device, 4, () => ({
      what: `${name} device event`,
      kind: 'packed.event',
      offset: device,
      bytes: 4,
    }));
  }

  #nicRing(memory: string, kind: 'nic.rx' | 'nic.tx', offset: number, size: number): void {
    const name = kind === 'nic.rx' ? 'NIC rx desc' : 'NIC tx desc';
    this.#array(memory, offset, size, DESC_BYTES, name, kind);
  }

  #word(memory: string, offset: number, what: string, kind: FieldKind): void {
    this.#area(memory, offset, 2, () => ({ what, kind, offset, bytes: 2 }));
  }

  #array(memory: string, from: number, size: number, bytes: number, name: string, kind: FieldKind): void {
    this.#area(memory, from, size * bytes, (at) => {
      const index = Math.floor((at - from) / bytes);
      return { what: `${name}[${index}]`, kind, offset: from + index * bytes, bytes };
    });
  }

  #area(memory: string, from: number, length: number, place: Area['place']): void {
    this.#areas.push({ memory, from, to: from + length, place });
  }
}

/** Feature words are kept beside the registers, by their selector. */
function featureKey(select: number): number {
  return -1 - select;
}
