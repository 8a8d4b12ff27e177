import type { Arena, Publisher } from '@vhostlab/memory';
import { needEvent } from './need-event.ts';
import { NO_U16 } from './no-arrays.ts';

const UNKNOWN = -1;
const ASKS_NOT = 0;
const ASKS = 1;
/** How far behind its place a side that does not want to hear puts its event word: further than any batch reaches. */
const BEHIND = 0x4000;

/** Offsets of one side's notification words: `flags`, and the event word that exists with EVENT_IDX only. */
export interface SplitEventWords {
  readonly flagsOffset: number;
  readonly eventOffset: number;
}

/**
 * Notification suppression of a split ring, the same in both directions (virtio 1.3, 2.7.7 and 2.7.10): `own` words
 * say when this side wants to hear from the peer, `peer` words say when the peer wants to hear from this side.
 */
export class SplitEvents {
  #publisher: Publisher;
  readonly #u16: Uint16Array = NO_U16;
  #own: SplitEventWords;
  #peerFlags: number = 0;
  #peerEvent: number = 0;
  readonly #eventIdx: boolean = false;
  /** Own event word as published last; UNKNOWN after a take-over. */
  #event = 0;
  #asks = ASKS;
  #published = 0;
  #unconditional = false;

  constructor(
    arena: Arena,
    publisher: Publisher,
    own: SplitEventWords,
    peer: SplitEventWords,
    eventIdx: boolean,
  ) {
    this.#publisher = publisher;
    this.#u16 = arena.u16;
    this.#own = own;
    this.#peerFlags = peer.flagsOffset >>> 1;
    this.#peerEvent = peer.eventOffset >>> 1;
    this.#eventIdx = eventIdx;
  }

  /** Wants to hear when the peer's index passes `event`. */
  enable(event: number): void {
    if (this.#eventIdx) {
      if (event !== this.#event) this.#setEvent(event);
    } else if (this.#asks !== ASKS) {
      this.#publisher.u16(this.#own.flagsOffset, 0);
    }
    this.#asks = ASKS;
  }

  /** Does not want to hear. `taken`: this side's place in the peer's ring; `visible`: the peer's index. */
  disable(taken: number, visible: number): void {
    if (this.#asks === ASKS_NOT) return;
    this.#asks = ASKS_NOT;
    if (!this.#eventIdx) {
      this.#publisher.u16(this.#own.flagsOffset, 1);
    } else if (this.#event === UNKNOWN || ((visible - this.#event - 1) & 0xffff) >= 0x8000) {
      this.#setEvent((taken - BEHIND) & 0xffff);
    }
  }

  /** Keeps a disabled event word behind: the index comes round to it every 2^16 entries. */
  moved(taken: number): void {
    if (this.#asks === ASKS_NOT && this.#eventIdx && ((taken - this.#event) & 0xffff) >= 0x8000) {
      this.#setEvent((taken - BEHIND) & 0xffff);
    }
  }

  #setEvent(event: number): void {
    this.#event = event;
    this.#publisher.u16(this.#own.eventOffset, event);
  }

  /** This side's index moved on by `count`. */
  advanced(count: number): void {
    this.#published += count;
  }

  /** True when the peer wants to hear about what advanced to `index` since the last call. */
  wanted(index: number): boolean {
    const published = this.#published;
    if (published === 0) return false;
    this.#published = 0;
    if (this.#unconditional) {
      this.#unconditional = false;
      return true;
    }
    if (!this.#eventIdx) return (Atomics.load(this.#u16, this.#peerFlags) & 1) === 0;
    if (published > 0xffff) return true;
    return needEvent(Atomics.load(this.#u16, this.#peerEvent), index, index - published);
  }

  /** Zeroed memory, nothing published, interrupts wanted. */
  reset(): void {
    this.#event = 0;
    this.#asks = ASKS;
    this.#published = 0;
    this.#unconditional = false;
  }

  /** After taking over a ring whose words are unknown: the next notification is sent whatever the peer's words say. */
  takeOver(): void {
    this.#event = UNKNOWN;
    this.#asks = UNKNOWN;
    this.#published = 0;
    this.#unconditional = true;
  }

  /** All words lie `byBytes` further in the arena, and `publisher` publishes there. */
  moveTo(publisher: Publisher, byBytes: number): void {
    this.#publisher = publisher;
    const { flagsOffset, eventOffset } = this.#own;
    this.#own = { flagsOffset: flagsOffset + byBytes, eventOffset: eventOffset + byBytes };
    this.#peerFlags += byBytes >> 1;
    this.#peerEvent += byBytes >> 1;
  }
}
