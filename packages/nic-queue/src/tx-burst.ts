/** Packets that a device read from a transmit ring, as parallel arrays; made once and filled again and again. */
export class NicTxBurst {
  /** Packets and data segments in it. */
  packets = 0;
  segments = 0;
  /** Descriptors that were read for them, contexts included: what `NicTxDevice.complete` takes. */
  descriptors = 0;

  /** By packet: slot of the tag side band (its first data descriptor), descriptors, first segment, bytes. */
  readonly slot: Uint16Array;
  readonly packetDescriptors: Uint16Array;
  readonly firstSegment: Uint32Array;
  readonly segmentCount: Uint16Array;
  readonly length: Uint32Array;
  /** By packet: offload request, all 0 without a context descriptor. */
  readonly flags: Uint8Array;
  readonly gsoType: Uint8Array;
  readonly hdrLen: Uint16Array;
  readonly gsoSize: Uint16Array;
  readonly csumStart: Uint16Array;
  readonly csumOffset: Uint16Array;
  /** By segment: I/O address (2^53 and more is inexact and no translation accepts it) and bytes. */
  readonly address: Float64Array;
  readonly segmentLength: Uint32Array;

  /** Room for `packets` packets with `segments` segments in all. */
  constructor(packets: number, segments: number) {
    this.slot = new Uint16Array(packets);
    this.packetDescriptors = new Uint16Array(packets);
    this.firstSegment = new Uint32Array(packets);
    this.segmentCount = new Uint16Array(packets);
    this.length = new Uint32Array(packets);
    this.flags = new Uint8Array(packets);
    this.gsoType = new Uint8Array(packets);
    this.hdrLen = new Uint16Array(packets);
    this.gsoSize = new Uint16Array(packets);
    this.csumStart = new Uint16Array(packets);
    this.csumOffset = new Uint16Array(packets);
    this.address = new Float64Array(segments);
    this.segmentLength = new Uint32Array(segments);
  }
}
