import { ACCESS_READ, ACCESS_WRITE, type Arena } from '@vhostlab/memory';
import {
  checkHeader,
  HEADER_CSUM_NOT_NEGOTIATED,
  HEADER_CSUM_RANGE,
  HEADER_ECN_NOT_NEGOTIATED,
  HEADER_FRAME_LONG,
  HEADER_FRAME_SHORT,
  HEADER_GSO_NOT_NEGOTIATED,
  HEADER_GSO_SIZE,
  HEADER_GSO_TYPE,
  HEADER_GSO_WITHOUT_CSUM,
  HEADER_HDR_LEN,
  HEADER_OK,
  type HeaderFields,
  type HeaderRules,
  headerBytes,
  minimumReceiveBytes,
  readHeader,
  transmitRules,
} from '@vhostlab/virtio-net';
import type { ObservedChain } from './chain.ts';
import { copyGuest } from './guest-bytes.ts';
import type { ObservedMemory, RingToObserve } from './ring-to-observe.ts';
import type { RingRuleCode } from './rules.ts';

const HEADER_RULES: Readonly<Record<number, RingRuleCode>> = {
  [HEADER_FRAME_SHORT]: 'tx-frame-short',
  [HEADER_FRAME_LONG]: 'tx-frame-long',
  [HEADER_CSUM_NOT_NEGOTIATED]: 'tx-csum-feature',
  [HEADER_CSUM_RANGE]: 'tx-csum-range',
  [HEADER_GSO_TYPE]: 'tx-gso-type',
  [HEADER_GSO_NOT_NEGOTIATED]: 'tx-gso-feature',
  [HEADER_ECN_NOT_NEGOTIATED]: 'tx-gso-feature',
  [HEADER_GSO_SIZE]: 'tx-gso-size',
  [HEADER_GSO_WITHOUT_CSUM]: 'tx-gso-csum',
  [HEADER_HDR_LEN]: 'tx-hdr-len',
};

/** Checks what a chain of a network queue stands for: where its buffers lie, and the header and length of a frame. */
export class NetCheck {
  readonly headerBytes: number;
  readonly #arena: Arena;
  readonly #memory: ObservedMemory;
  readonly #ring: RingToObserve;
  readonly #rules: HeaderRules;
  readonly #minimumReceive: number;
  readonly #header = new Uint8Array(32);
  readonly #fields: HeaderFields = {
    flags: 0,
    gsoType: 0,
    hdrLen: 0,
    gsoSize: 0,
    csumStart: 0,
    csumOffset: 0,
  };

  constructor(arena: Arena, memory: ObservedMemory, ring: RingToObserve) {
    this.#arena = arena;
    this.#memory = memory;
    this.#ring = ring;
    this.headerBytes = headerBytes(ring.features);
    this.#rules = transmitRules(ring.features);
    this.#minimumReceive = minimumReceiveBytes(ring.features);
  }

  /** What is wrong with the chain goes into it. */
  check(chain: ObservedChain): void {
    if (chain.fault !== null) return;
    this.#checkAddresses(chain);
    if (chain.fault !== null) return;
    if (this.#ring.direction === 'rx') this.#checkReceive(chain);
    else this.#checkTransmit(chain);
  }

  #checkAddresses(chain: ObservedChain): void {
    if (!this.#ring.knowsAllMemory) return;
    for (let i = 0; i < chain.count; i++) {
      const length = chain.length[i];
      if (length === 0) continue;
      const access = chain.writable[i] === 1 ? ACCESS_WRITE : ACCESS_READ;
      if (this.#memory.check(chain.address[i], length, access) < 0) {
        const text = 'segment % is % bytes at %x, not all of which is guest memory';
        chain.fail('address-outside', text, i, length, chain.address[i]);
        return;
      }
    }
  }

  #checkReceive(chain: ObservedChain): void {
    if (chain.readableBytes > 0 || chain.writableBytes === 0) {
      const text = 'a receive buffer has % device-readable and % device-writable bytes';
      chain.fail('rx-readable', text, chain.readableBytes, chain.writableBytes);
    } else if (chain.writableBytes < this.#minimumReceive) {
      const text = 'a receive buffer has % bytes, at least % are needed';
      chain.fail('rx-short', text, chain.writableBytes, this.#minimumReceive);
    }
  }

  #checkTransmit(chain: ObservedChain): void {
    if (chain.writableBytes > 0 || chain.readableBytes === 0) {
      const text = 'a transmit buffer has % device-readable and % device-writable bytes';
      chain.fail('tx-writable', text, chain.readableBytes, chain.writableBytes);
      return;
    }
    if (chain.readableBytes < this.headerBytes) {
      const text = 'a transmit buffer of % bytes has no room for the header of %';
      chain.fail('tx-no-header', text, chain.readableBytes, this.headerBytes);
      return;
    }
    if (!this.#loadHeader(chain)) return;
    const fields = this.#fields;
    readHeader(this.#header, 0, fields);
    const frameBytes = chain.readableBytes - this.headerBytes;
    const code = checkHeader(fields, frameBytes, this.#rules);
    if (code === HEADER_OK) return;
    chain.fail(
      HEADER_RULES[code]!,
      'a frame of % bytes has flags %x, gso_type %x, gso_size %, hdr_len %, csum_start %, csum_offset %',
      frameBytes,
      fields.flags,
      fields.gsoType,
      fields.gsoSize,
      fields.hdrLen,
      fields.csumStart,
      fields.csumOffset,
    );
  }

  /** Gathers the header, however many segments it is spread over; false when some of it is not mapped. */
  #loadHeader(chain: ObservedChain): boolean {
    let got = 0;
    for (let i = 0; i < chain.count && got < this.headerBytes; i++) {
      const take = Math.min(chain.length[i], this.headerBytes - got);
      if (take === 0) continue;
      if (copyGuest(this.#arena, this.#memory, chain.address[i], take, this.#header, got) < take)
        return false;
      got += take;
    }
    for (let i = 0; i < 10; i++) chain.mix(this.#header[i]);
    return true;
  }
}
