import type { Arena, Publisher } from '@vhostlab/memory';
import { RING_EVENT_FLAGS_DESC, RING_EVENT_FLAGS_DISABLE, RING_EVENT_FLAGS_ENABLE } from './constants.ts';
import { needEvent } from './need-event.ts';
import { NO_U32 } from './no-arrays.ts';

const UNKNOWN = -1;

/**
 * Notification suppression of a packed ring, the same in both directions (virtio 1.3, 2.8.10 and 2.8.14). An event
 * structure is read and published as one 32-bit word, so offset and flags never come apart.
 */
export class PackedEvents {
  #publisher: Publisher;
  readonly #u32: Uint32Array = NO_U32;
  #ownOffset: number = 0;
  #peerWord: number = 0;
  readonly #size: number = 0;
  readonly #eventIdx: boolean = false;
  #word = 0;
  #published = 0;
  #unconditional = false;

  /** `ownOffset`, `peerOffset`: event structure that this side writes, and the one it reads. */
  constructor(
    arena: Arena,
    publisher: Publisher,
    ownOffset: number,
    peerOffset: number,
    size: number,
    eventIdx: boolean,
  ) {
    this.#publisher = publisher;
    this.#u32 = arena.u32;
    this.#ownOffset = ownOffset;
    this.#peerWord = peerOffset >>> 2;
    this.#size = size;
    this.#eventIdx = eventIdx;
  }

  /** Wants to hear when the peer gets past descriptor `slot` in the lap with wrap counter `wrap`. */
  enable(slot: number, wrap: number): void {
    const flags = this.#eventIdx ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_ENABLE;
    this.#set(this.#eventIdx ? slot | (wrap << 15) | (flags << 16) : flags << 16);
  }

  /** The same for the `n`-th descriptor from there on, counting from 1. */
  enableAfter(slot: number, wrap: number, n: number): void {
    const event = slot + n - 1;
    if (event < this.#size) this.enable(event, wrap);
    else this.enable(event - this.#size, wrap ^ 1);
  }

  disable(): void {
    this.#set(RING_EVENT_FLAGS_DISABLE << 16);
  }

  #set(word: number): void {
    if (word === this.#word) return;
    this.#word = word;
    this.#publisher.u32(this.#ownOffset, word);
  }

  /** This side moved on by `slots` descriptors. */
  advanced(slots: number): void {
    this.#published += slots;
  }

  /** True when the peer wants to hear about what advanced to (`slot`, `wrap`) since the last call. */
  wanted(slot: number, wrap: number): boolean {
    const published = this.#published;
    if (published === 0) return false;
    this.#published = 0;
    if (this.#unconditional) {
      this.#unconditional = false;
      return true;
    }
    const word = Atomics.load(this.#u32, this.#peerWord);
    const flags = (word >>> 16) & 3;
    if (flags === RING_EVENT_FLAGS_DISABLE) return false;
    if (flags !== RING_EVENT_FLAGS_DESC || !this.#eventIdx || published >= this.#size) return true;
    const event = word & 0x7fff;
    if (event >= this.#size) return true;
    const behind = ((word >>> 15) & 1) === wrap ? event : event - this.#size;
    return needEvent(behind, slot, slot - published);
  }

  /** Zeroed memory, nothing published, notifications wanted. */
  reset(): void {
    this.#word = 0;
    this.#published = 0;
    this.#unconditional = false;
  }

  /** After taking over a ring whose words are unknown: the next notification is sent whatever the peer's words say. */
  takeOver(): void {
    this.#word = UNKNOWN;
    this.#published = 0;
    this.#unconditional = true;
  }

  /** Both structures lie `byBytes` further in the arena, and `publisher` publishes there. */
  moveTo(publisher: Publisher, byBytes: number): void {
    this.#publisher = publisher;
    this.#ownOffset += byBytes;
    this.#peerWord += byBytes >> 2;
  }
}
