import { MemoryReplay, memoryOf } from './memory-replay.ts';
import { describeField, type FieldKind } from './ring-fields.ts';
import type { RingMap } from './ring-map.ts';
import type { Tap } from './taps.ts';

/** One place of a ring that a step changed. */
export interface RingChange {
  /** `tx desc[3]` */
  what: string;
  kind: FieldKind;
  /** Offset in the memory of its owner; for a guest's ring the guest physical address. */
  address: number;
  /** Hexadecimal, in the order of memory. */
  before: string;
  after: string;
  /** The bytes after in words. */
  meaning: string;
}

/** A change with the buffer that it speaks of; undefined for indices and event words, which speak of all. */
export interface OwnedChange {
  change: RingChange;
  buffer: { address: number; bytes: number } | undefined;
}

/** Follows all memories through a log and tells what each publication changes in the rings. */
export class RingChanges {
  readonly #memory = new MemoryReplay();
  readonly #map: RingMap;
  /** Buffer that a descriptor was last given, by the descriptor's name. */
  readonly #buffers = new Map<string, { address: number; bytes: number }>();

  constructor(map: RingMap) {
    this.#map = map;
  }

  /** Ring places that a tap changes, bytes before from the taps before it. A place may change in two parts. */
  take(tap: Tap): OwnedChange[] {
    if (tap.kind !== 'bytes' && tap.kind !== 'word') return [];
    const memory = memoryOf(tap.channel);
    if (memory === undefined) return [];
    const places = this.#map.places(memory, tap.offset, tap.bytes.length);
    const before = places.map(({ offset, bytes }) => this.#memory.read(memory, offset, bytes));
    this.#memory.write(memory, tap.offset, tap.bytes);
    return places.map(({ what, kind, offset, bytes }, i) => {
      const after = this.#memory.read(memory, offset, bytes);
      const change: RingChange = {
        what,
        kind,
        address: offset,
        before: hex(before[i]),
        after: hex(after),
        meaning: describeField(kind, after),
      };
      return { change, buffer: this.#bufferOf(`${memory} `, what, kind, after) };
    });
  }

  #bufferOf(prefix: string, what: string, kind: FieldKind, after: Uint8Array): OwnedChange['buffer'] {
    const view = new DataView(after.buffer);
    const isOffer =
      kind === 'split.desc' ||
      kind === 'nic.tx' ||
      (kind === 'nic.rx' && view.getUint16(14, true) === 0 && view.getUint32(8, true) === 0) ||
      (kind === 'packed.desc' && view.getUint32(0, true) !== 0);
    if (isOffer) {
      const address = view.getUint32(4, true) * 4294967296 + view.getUint32(0, true);
      // a receive descriptor of the NIC does not say how long its buffer is
      const bytes = kind === 'nic.rx' ? NIC_BUFFER_BYTES : view.getUint32(8, true);
      this.#buffers.set(prefix + what, { address, bytes });
    }
    if (kind === 'split.entry' || kind === 'split.used') {
      const queue = what.split(' ')[0];
      const slot = kind === 'split.entry' ? view.getUint16(0, true) : view.getUint32(0, true);
      return this.#buffers.get(`${prefix}${queue} desc[${slot}]`);
    }
    return this.#buffers.get(prefix + what);
  }
}

const NIC_BUFFER_BYTES = 2048;

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
