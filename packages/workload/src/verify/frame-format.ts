import { build, crc32c, foldSum, internetChecksum } from '@vhostlab/packet';
import type { Endpoints } from '../endpoints.ts';
import { destinationHostOf, destinationPortOf, sourceHostOf, sourcePortOf } from '../flows.ts';
import { MAX_FRAME_SIZE_BYTES } from '../frame-sizes.ts';
import { FCS_BYTES } from '../line-rate.ts';
import { networkLayers } from '../network-layers.ts';
import { halves, put16, put32 } from '../put.ts';
import type { LatencyStamp } from './latency-stamp.ts';
import { type Pattern, verifyPattern } from './pattern.ts';

/*
 * UDP over IPv4 without options, in untagged Ethernet. Offsets in the frame; words are big-endian:
 *
 *   42  sequence within the flow, 64 bits
 *   50  flow, 32 bits
 *   54  mark of the stream, 15 bits, and 1 bit: a time follows the CRC
 *   56  CRC32c of the UDP payload without these four bytes
 *   60  time, 64 bits, if there is one
 *   60 or 68  pattern, to the end
 */
const IP = 14;
const UDP = 34;
const SEQUENCE = 42;
const FLOW = 50;
const MARK = 54;
const CRC = 56;
const TIME = 60;
const TIME_BYTES = 8;
const IP_HEADER_BYTES = 20;
const PROTOCOL_UDP = 17;

/** Shortest frame in memory that has all fields: 64 bytes with FCS; with a time 72. */
export const VERIFY_MIN_BYTES = TIME;
export const VERIFY_STAMPED_MIN_BYTES = TIME + TIME_BYTES;
/** Longest frame in memory. */
export const VERIFY_MAX_BYTES = MAX_FRAME_SIZE_BYTES - FCS_BYTES;
/** A frame that is cut below this shows no addresses, and nobody can tell whose it was. */
const ADDRESSED_BYTES = 34;

/** What `inspect` finds. */
export const INSPECTED_INTACT = 0;
export const INSPECTED_DAMAGED = 1;
export const INSPECTED_FOREIGN = 2;

/** Whose frames these are: streams that meet need ids of their own. */
export interface VerifyIdentity {
  /** Only the IPv4 addresses' upper halves and the MAC addresses of frames that are written count. */
  endpoints: Endpoints;
  /** 32 bits, of which 15 are told apart on the wire. */
  streamId: number;
}

/**
 * The bytes of frames that verify themselves. `write` makes a frame; `inspect` says whether one is as it was made, in
 * fields of this object, without allocation. Not covered, because forwarders may write them: MAC addresses, type of
 * service, identification, time to live, both checksums; and source and destination may have changed places.
 */
export class VerifyFormat {
  /** Of the frame inspected last, if not foreign: fields as they stand there, in a damaged one for what they are worth. */
  flow = 0;
  high = 0;
  low = 0;
  isStamped = false;
  timeHigh = 0;
  timeLow = 0;
  /** Whether addresses and ports are those of `flow`. */
  isFlowConfirmed = false;
  readonly #mark: number;
  readonly #header: Uint8Array;
  readonly #sourceNet: number;
  readonly #destinationNet: number;
  /** Sums of the IP header and of the pseudo header without lengths and hosts. */
  readonly #ipSum: number;
  readonly #pseudoSum: number;
  readonly #pattern: Pattern = verifyPattern();

  constructor({ endpoints, streamId }: VerifyIdentity) {
    const id = Math.imul(streamId ^ (streamId >>> 16), 0x45d9f3b);
    this.#mark = (id >>> 16) & 0xfffe;
    const layers = networkLayers({ ipVersion: 4, endpoints });
    const frame = build([...layers, { kind: 'udp', srcPort: 0, dstPort: 0 }]).slice(0, SEQUENCE);
    frame.fill(0, IP + 2, IP + 4);
    frame.fill(0, IP + 10, IP + 12);
    frame.fill(0, UDP);
    this.#header = frame;
    this.#sourceNet = word16(frame, IP + 12);
    this.#destinationNet = word16(frame, IP + 16);
    this.#ipSum = internetChecksum(frame, IP, IP_HEADER_BYTES);
    this.#pseudoSum = internetChecksum(frame, IP + 12, 8) + PROTOCOL_UDP;
  }

  /**
   * Writes a frame of `length` bytes, at least `VERIFY_MIN_BYTES`, with a `stamp` `VERIFY_STAMPED_MIN_BYTES`. Both
   * checksums are right.
   */
  write(
    u8: Uint8Array,
    offset: number,
    length: number,
    flow: number,
    high: number,
    low: number,
    stamp: LatencyStamp | undefined,
  ): void {
    u8.set(this.#header, offset);
    const ip = offset + IP;
    const udp = offset + UDP;
    const ipBytes = length - IP;
    const udpBytes = length - UDP;
    const hosts = sourceHostOf(flow) + destinationHostOf(flow);
    put16(u8, ip + 2, ipBytes);
    put16(u8, ip + 14, sourceHostOf(flow));
    put16(u8, ip + 18, destinationHostOf(flow));
    put16(u8, ip + 10, ~foldSum(this.#ipSum + hosts + ipBytes));
    put16(u8, udp, sourcePortOf(flow));
    put16(u8, udp + 2, destinationPortOf(flow));
    put16(u8, udp + 4, udpBytes);

    const mark = stamp === undefined ? this.#mark : this.#mark | 1;
    put32(u8, offset + SEQUENCE, high);
    put32(u8, offset + SEQUENCE + 4, low);
    put32(u8, offset + FLOW, flow);
    put16(u8, offset + MARK, mark);
    let sum = halves(high) + halves(low) + halves(flow) + mark;
    let at = TIME;
    if (stamp !== undefined) {
      put32(u8, offset + TIME, stamp.high);
      put32(u8, offset + TIME + 4, stamp.low);
      sum += halves(stamp.high) + halves(stamp.low);
      at = TIME + TIME_BYTES;
    }
    const start = this.#pattern.startOf(flow, high, low);
    const crc = this.#crcOf(u8, offset, at, start, length);
    put32(u8, offset + CRC, crc);
    this.#pattern.write(start, length - at, u8, offset + at);

    sum += halves(crc) + sourcePortOf(flow) + destinationPortOf(flow) + 2 * udpBytes;
    const payload = this.#pattern.sum(start, length - at);
    const total = foldSum(this.#pseudoSum + hosts + sum) + foldSum(payload);
    const checksum = ~foldSum(total) & 0xffff;
    put16(u8, udp + 6, checksum === 0 ? 0xffff : checksum);
  }

  /** Looks at a frame of `length` bytes and answers an `INSPECTED_` value. Reads no byte outside the frame. */
  inspect(u8: Uint8Array, offset: number, length: number): number {
    const isMarked = length >= VERIFY_MIN_BYTES && (word16(u8, offset + MARK) & 0xfffe) === this.#mark;
    if (!isMarked && !this.#isAddressed(u8, offset, length)) return INSPECTED_FOREIGN;
    this.isFlowConfirmed = false;
    this.isStamped = false;
    if (length < VERIFY_MIN_BYTES || length > VERIFY_MAX_BYTES) return INSPECTED_DAMAGED;
    this.high = word32(u8, offset + SEQUENCE);
    this.low = word32(u8, offset + SEQUENCE + 4);
    this.flow = word32(u8, offset + FLOW);
    this.isFlowConfirmed = this.#hasTupleOf(u8, offset, this.flow);
    if (!this.isFlowConfirmed || !hasHeaders(u8, offset, length)) return INSPECTED_DAMAGED;
    let at = TIME;
    if ((u8[offset + MARK + 1] & 1) === 1) {
      if (length < VERIFY_STAMPED_MIN_BYTES) return INSPECTED_DAMAGED;
      this.isStamped = true;
      this.timeHigh = word32(u8, offset + TIME);
      this.timeLow = word32(u8, offset + TIME + 4);
      at = TIME + TIME_BYTES;
    }
    const pattern = this.#pattern;
    const start = pattern.startOf(this.flow, this.high, this.low);
    if (word32(u8, offset + CRC) !== this.#crcOf(u8, offset, at, start, length)) return INSPECTED_DAMAGED;
    if (!pattern.equals(start, length - at, u8, offset + at)) return INSPECTED_DAMAGED;
    // with a right CRC over it, the mark is that of another stream between the same networks
    return isMarked ? INSPECTED_INTACT : INSPECTED_FOREIGN;
  }

  /** CRC of the fields that stand in the frame, and of the pattern that should. */
  #crcOf(u8: Uint8Array, offset: number, at: number, start: number, length: number): number {
    let crc = crc32c(u8, offset + SEQUENCE, CRC - SEQUENCE) | 0;
    if (at > TIME) crc = crc32c(u8, offset + TIME, TIME_BYTES, crc) | 0;
    return this.#pattern.crc(start, length - at, crc);
  }

  /** UDP between the stream's networks: ours even if the mark is damaged. */
  #isAddressed(u8: Uint8Array, offset: number, length: number): boolean {
    if (length < ADDRESSED_BYTES || !isUdp(u8, offset)) return false;
    const source = word16(u8, offset + IP + 12);
    const destination = word16(u8, offset + IP + 16);
    return (
      (source === this.#sourceNet && destination === this.#destinationNet) ||
      (source === this.#destinationNet && destination === this.#sourceNet)
    );
  }

  /** Addresses and ports of the flow, as sent or with source and destination exchanged. */
  #hasTupleOf(u8: Uint8Array, offset: number, flow: number): boolean {
    const source = (this.#sourceNet << 16) | sourceHostOf(flow);
    const destination = (this.#destinationNet << 16) | destinationHostOf(flow);
    const ports = (sourcePortOf(flow) << 16) | destinationPortOf(flow);
    const seenSource = word32(u8, offset + IP + 12);
    const seenDestination = word32(u8, offset + IP + 16);
    const seenPorts = word32(u8, offset + UDP);
    if (seenSource === source && seenDestination === destination && seenPorts === ports) return true;
    const turned = (ports << 16) | (ports >>> 16);
    return seenSource === destination && seenDestination === source && seenPorts === turned;
  }
}

/** Both lengths are that of the frame, and nothing is fragmented. */
function hasHeaders(u8: Uint8Array, offset: number, length: number): boolean {
  return (
    isUdp(u8, offset) &&
    word16(u8, offset + IP + 2) === length - IP &&
    word16(u8, offset + IP + 6) === 0x4000 &&
    word16(u8, offset + UDP + 4) === length - UDP
  );
}

/** IPv4 without options, UDP. */
function isUdp(u8: Uint8Array, offset: number): boolean {
  return (
    word16(u8, offset + 12) === 0x0800 && u8[offset + IP] === 0x45 && u8[offset + IP + 9] === PROTOCOL_UDP
  );
}

function word16(u8: Uint8Array, at: number): number {
  return (u8[at] << 8) | u8[at + 1];
}

/** Signed, so that V8 keeps it without an allocation. */
function word32(u8: Uint8Array, at: number): number {
  return (u8[at] << 24) | (u8[at + 1] << 16) | (u8[at + 2] << 8) | u8[at + 3];
}
