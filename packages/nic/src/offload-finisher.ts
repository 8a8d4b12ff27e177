import { emptyFrameMeta, type FrameMeta } from '@vhostlab/engine';
import type { Arena } from '@vhostlab/memory';
import {
  completeChecksum,
  GSO_NONE,
  HDR_F_NEEDS_CSUM,
  type HeaderRules,
  SEGMENT_FAULTS,
  Segmenter,
} from '@vhostlab/virtio-net';

import type { Nic } from './nic.ts';

/** Rules of a wire: whole checksums, nothing larger than it was. */
export const WIRE_RULES: HeaderRules = { csum: false, ecn: false, gsoTypes: 0 };

/**
 * Does what a frame's offload fields ask for before it goes where nobody would do it: completes checksums, cuts GSO
 * frames. `begin` takes a frame, `next` gives what it has become, one frame after the other.
 */
export class OffloadFinisher {
  /** Current frame after `next`. */
  offset = 0;
  length = 0;
  /** What travels with it. */
  readonly meta: FrameMeta = emptyFrameMeta();
  /** Why `begin` answered 0. */
  fault = '';
  readonly #arena: Arena;
  readonly #segmenter: Segmenter;
  readonly #scratch: number;
  #left = 0;
  #cuts = false;

  /** `scratchBytes`: longest segment. */
  constructor(nic: Nic, scratchBytes: number) {
    this.#arena = nic.arena;
    this.#segmenter = new Segmenter(nic.arena.u8);
    this.#scratch = nic.alloc(scratchBytes);
  }

  /**
   * Starts with a frame for a receiver with `rules`; answers the number of frames that it becomes, 0 when it cannot be
   * sent. A frame that wants something must be the NIC's own: its checksum is completed in place, and `meta` says so.
   */
  begin(offset: number, length: number, meta: FrameMeta, rules: HeaderRules): number {
    const out = this.meta;
    out.packet = meta.packet;
    out.bornPs = meta.bornPs;
    out.aux = meta.aux;
    out.wireLength = meta.wireLength;
    out.flags = meta.flags;
    out.gsoType = meta.gsoType;
    out.hdrLen = meta.hdrLen;
    out.gsoSize = meta.gsoSize;
    out.csumStart = meta.csumStart;
    out.csumOffset = meta.csumOffset;
    this.offset = offset;
    this.length = length;
    this.#left = 1;
    this.#cuts = false;
    if ((meta.flags | meta.gsoType) === 0) return 1;
    const passes = meta.gsoType === GSO_NONE || ((rules.gsoTypes >>> (meta.gsoType & 0x1f)) & 1) === 1;
    if (passes && (rules.csum || (meta.flags & HDR_F_NEEDS_CSUM) === 0)) return 1;
    if (meta.gsoType === GSO_NONE) return this.#complete(offset, length, meta);
    this.#left = this.#segmenter.begin(offset, length, meta);
    if (this.#left === 0) this.fault = SEGMENT_FAULTS[this.#segmenter.fault];
    this.#cuts = true;
    this.#clear();
    return this.#left;
  }

  /** The next frame; false when there is none. */
  next(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    if (this.#cuts) {
      this.offset = this.#scratch;
      this.length = this.#segmenter.next(this.#scratch);
    }
    return true;
  }

  #complete(offset: number, length: number, meta: FrameMeta): number {
    if (!completeChecksum(this.#arena.u8, offset, length, meta)) {
      this.fault = 'header-csum-range';
      this.#left = 0;
      return 0;
    }
    meta.flags &= ~HDR_F_NEEDS_CSUM;
    this.#clear();
    return 1;
  }

  #clear(): void {
    const out = this.meta;
    out.flags = 0;
    out.gsoType = GSO_NONE;
    out.hdrLen = 0;
    out.gsoSize = 0;
    out.csumStart = 0;
    out.csumOffset = 0;
  }
}
