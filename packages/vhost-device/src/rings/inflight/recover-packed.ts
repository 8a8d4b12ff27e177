import type { Arena } from '@vhostlab/memory';
import { type RingPlace, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from '@vhostlab/virtqueue';
import { DESC_NUM_BYTES, INFLIGHT_VERSION, VERSION_BYTES } from './inflight-part.ts';
import type { UsedPosition } from './packed-inflight.ts';
import {
  ADDR_BYTES,
  COUNTER_BYTES,
  ENTRY_BYTES,
  FLAGS_BYTES,
  FREE_HEAD_BYTES,
  HEADER_BYTES,
  ID_BYTES,
  LEN_BYTES,
  NEXT_BYTES,
  NUM_BYTES,
  OLD_FREE_HEAD_BYTES,
  OLD_USED_IDX_BYTES,
  OLD_USED_WRAP_BYTES,
  USED_IDX_BYTES,
  USED_WRAP_BYTES,
} from './packed-layout.ts';

const DESC_BYTES = 16;
const AVAIL_USED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

/**
 * Where a packed ring goes on after its device died ("When reconnecting"): an update under way is ended or taken back,
 * and buffers in flight are written into the ring again, oldest first from the used position on, where the driver leaves
 * as many slots alone; so they are available there. Undefined: the part was never written. A sentence: what stands there
 * makes no sense. May be interrupted at any moment and done again.
 */
export function recoverPacked(
  arena: Arena,
  place: RingPlace,
  part: number,
): UsedPosition | string | undefined {
  // one look: the front end can write the region meanwhile
  const saved = new SavedPart(arena.u8.slice(part, part + HEADER_BYTES + place.size * ENTRY_BYTES));
  const version = saved.u16(VERSION_BYTES);
  if (version === 0) return undefined;
  if (version !== INFLIGHT_VERSION) return `the inflight region has version ${version}, not 1`;
  const count = saved.u16(DESC_NUM_BYTES);
  if (count !== place.size)
    return `the inflight region is for ${count} descriptors, the ring has ${place.size}`;
  const position = settle(saved, arena, place);
  if (typeof position === 'string') return position;
  saved.clearFree(position.freeHead, place.size);
  const heads = saved.heads(place.size);
  const problem = chainProblem(saved, heads, place.size);
  if (problem !== undefined) return problem;
  restore(arena, place, saved, heads, position);
  // the newest first: whoever comes next meanwhile finds the oldest ones, which stand where they stood
  for (const head of heads.toReversed()) arena.u8[part + HEADER_BYTES + head * ENTRY_BYTES] = 0;
  return { slot: position.slot, wrap: position.wrap };
}

/** The bytes of a part, as they were at one moment. */
class SavedPart {
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer);
  }

  u8(at: number): number {
    return this.#view.getUint8(at);
  }

  u16(at: number): number {
    return this.#view.getUint16(at, true);
  }

  /** A field of an entry. */
  of(entry: number, at: number): number {
    return this.#view.getUint16(HEADER_BYTES + entry * ENTRY_BYTES + at, true);
  }

  wordOf(entry: number, at: number): number {
    return this.#view.getUint32(HEADER_BYTES + entry * ENTRY_BYTES + at, true);
  }

  #counter(entry: number): bigint {
    return this.#view.getBigUint64(HEADER_BYTES + entry * ENTRY_BYTES + COUNTER_BYTES, true);
  }

  /** Entries of the free list are not in flight, whatever they say. */
  clearFree(head: number, size: number): void {
    let free = head;
    for (let i = 0; i < size && free < size; i++) {
      this.#view.setUint8(HEADER_BYTES + free * ENTRY_BYTES, 0);
      free = this.of(free, NEXT_BYTES);
    }
  }

  /** First entries of the buffers in flight, oldest first. */
  heads(size: number): number[] {
    const heads: number[] = [];
    for (let i = 0; i < size; i++) {
      if (this.#view.getUint8(HEADER_BYTES + i * ENTRY_BYTES) === 1) heads.push(i);
    }
    return heads.sort((a, b) => (this.#counter(a) < this.#counter(b) ? -1 : 1));
  }

  /** Entries of the buffer that begins at `head`. */
  *entries(head: number): Iterable<number> {
    const count = this.of(head, NUM_BYTES);
    let entry = head;
    for (let i = 0; i < count; i++) {
      yield entry;
      entry = this.of(entry, NEXT_BYTES);
    }
  }
}

/** The used position, and the head of the free list there. */
function settle(
  saved: SavedPart,
  arena: Arena,
  { size, descOffset }: RingPlace,
): (UsedPosition & { freeHead: number }) | string {
  const old = {
    slot: saved.u16(OLD_USED_IDX_BYTES),
    wrap: saved.u8(OLD_USED_WRAP_BYTES),
    freeHead: saved.u16(OLD_FREE_HEAD_BYTES),
  };
  const now = {
    slot: saved.u16(USED_IDX_BYTES),
    wrap: saved.u8(USED_WRAP_BYTES),
    freeHead: saved.u16(FREE_HEAD_BYTES),
  };
  if (Math.max(old.slot, now.slot) >= size || Math.max(old.wrap, now.wrap) > 1) {
    return `the inflight region has used positions ${old.slot} and ${now.slot} in a ring of ${size}`;
  }
  if (old.slot === now.slot && old.wrap === now.wrap) return old;
  const flags = Atomics.load(arena.u16, (descOffset + old.slot * DESC_BYTES + 14) >>> 1) & AVAIL_USED;
  const available = old.wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
  return flags === available ? old : now;
}

function chainProblem(saved: SavedPart, heads: readonly number[], size: number): string | undefined {
  let total = 0;
  for (const head of heads) {
    const count = saved.of(head, NUM_BYTES);
    total += count;
    if (count === 0 || total > size) {
      return `the inflight region has ${total} descriptors in flight in a ring of ${size}`;
    }
    let entry = head;
    for (let i = 1; i < count; i++) {
      entry = saved.of(entry, NEXT_BYTES);
      if (entry >= size) return `the inflight region names entry ${entry} of ${size}`;
    }
  }
  return undefined;
}

/** Writes the buffers back as the driver wrote them, available in the lap of each slot. */
function restore(
  arena: Arena,
  { size, descOffset }: RingPlace,
  saved: SavedPart,
  heads: readonly number[],
  { slot, wrap }: UsedPosition,
): void {
  const { u32 } = arena;
  let at = slot;
  let lap = wrap;
  for (const head of heads) {
    for (const entry of saved.entries(head)) {
      const to = (descOffset + at * DESC_BYTES) >>> 2;
      u32[to] = saved.wordOf(entry, ADDR_BYTES);
      u32[to + 1] = saved.wordOf(entry, ADDR_BYTES + 4);
      u32[to + 2] = saved.wordOf(entry, LEN_BYTES);
      const available = lap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
      const flags = (saved.of(entry, FLAGS_BYTES) & ~AVAIL_USED) | available;
      u32[to + 3] = (saved.of(entry, ID_BYTES) | (flags << 16)) >>> 0;
      at++;
      if (at === size) {
        at = 0;
        lap ^= 1;
      }
    }
  }
}
