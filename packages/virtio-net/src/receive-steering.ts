import { type DecodedHeaders, IPPROTO_TCP, IPPROTO_UDP, type RssHasher } from '@vhostlab/packet';

/** Flows whose transmit queue is remembered; a power of two. */
const FLOW_ENTRIES = 1024;

/**
 * Which receive queue a frame goes to: automatically, or by the table that RSS_CONFIG set (virtio 1.3,
 * 5.1.6.5.6 and 5.1.6.5.7). Allocates nothing per frame.
 */
export class ReceiveSteering {
  /** Queue pairs in use. */
  pairs = 1;
  /** The table decides. */
  rss = false;
  /** Hashes are reported in the header (HASH_REPORT). */
  reportsHash = false;
  /** Hash of the frame that `select` saw last (32 bits, signed), and what it covers; 0: none. */
  hashValue = 0;
  hashReport = 0;
  #hasher: RssHasher | undefined;
  #table: Uint16Array = new Uint16Array(1);
  #unclassified = 0;
  readonly #flowHash = new Int32Array(FLOW_ENTRIES);
  /** Transmit queue plus 1; 0: free. */
  readonly #flowQueue = new Uint16Array(FLOW_ENTRIES);

  /** One queue pair, automatic steering, no hashes, no flows. */
  reset(): void {
    this.setPairs(1);
    this.setHash(undefined);
  }

  /** VQ_PAIRS_SET: the first `pairs` queue pairs with automatic steering. */
  setPairs(pairs: number): void {
    this.pairs = pairs;
    this.rss = false;
    if (!this.reportsHash) this.#hasher = undefined;
    this.#flowQueue.fill(0);
  }

  /** RSS_CONFIG: `table` has a power of two of receive queues; `pairs` transmit queues are in use. */
  setRss(hasher: RssHasher, table: Uint16Array, unclassified: number, pairs: number, reports: boolean): void {
    this.#hasher = hasher;
    this.#table = table;
    this.#unclassified = unclassified;
    this.pairs = pairs;
    this.rss = true;
    this.reportsHash = reports;
  }

  /** HASH_CONFIG: report the hashes of `hasher`, or none, without an influence on the queue. */
  setHash(hasher: RssHasher | undefined): void {
    this.#hasher = hasher;
    this.rss = false;
    this.reportsHash = hasher !== undefined;
    this.hashValue = 0;
    this.hashReport = 0;
  }

  /** The driver transmitted this frame on transmit queue `queue` (0 is transmitq1): its flow comes back there. */
  learn(u8: Uint8Array, frameAt: number, headers: DecodedHeaders, queue: number): void {
    if (this.pairs === 1 || this.rss) return;
    const hash = flowHash(u8, frameAt, headers);
    const entry = hash & (FLOW_ENTRIES - 1);
    this.#flowHash[entry] = hash;
    this.#flowQueue[entry] = queue + 1;
  }

  /** Receive queue (0 is receiveq1) for the frame at `frameAt` that `headers` describes. */
  select(u8: Uint8Array, frameAt: number, headers: DecodedHeaders): number {
    const hasher = this.#hasher;
    let hashed = false;
    if (hasher !== undefined) {
      hashed = hasher.hash(u8, frameAt, headers);
      this.hashValue = hasher.value;
      this.hashReport = hasher.report;
    }
    if (this.rss) return hashed ? this.#table[this.hashValue & (this.#table.length - 1)] : this.#unclassified;
    if (this.pairs === 1) return 0;
    const hash = flowHash(u8, frameAt, headers);
    const entry = hash & (FLOW_ENTRIES - 1);
    const queue = this.#flowQueue[entry] - 1;
    if (queue >= 0 && queue < this.pairs && this.#flowHash[entry] === hash) return queue;
    return (hash >>> 0) % this.pairs;
  }
}

/** A hash that is the same for both directions of a flow; fragments and other protocols by address alone. */
function flowHash(u8: Uint8Array, frameAt: number, headers: DecodedHeaders): number {
  if (headers.addressOffset < 0) return 0;
  const end = frameAt + headers.addressOffset + 2 * headers.addressBytes;
  let sum = headers.ipProto;
  for (let at = frameAt + headers.addressOffset; at < end; at += 4) {
    sum = (sum + ((u8[at] << 24) | (u8[at + 1] << 16) | (u8[at + 2] << 8) | u8[at + 3])) | 0;
  }
  const ports = headers.ipProto === IPPROTO_TCP || headers.ipProto === IPPROTO_UDP;
  if (ports && headers.fragment === 0)
    sum = (sum + Math.imul(headers.srcPort + headers.dstPort, 0x9e37_79b1)) | 0;
  sum = Math.imul(sum ^ (sum >>> 16), 0x85eb_ca6b);
  return sum ^ (sum >>> 13);
}
