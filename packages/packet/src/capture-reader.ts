/** LINKTYPE_ETHERNET of the registry of link-layer header types. */
export const LINKTYPE_ETHERNET = 1;

/** Option of a pcapng block, kept as it is in the file. */
export interface CaptureOption {
  code: number;
  value: Uint8Array;
}

/** Where frames were captured. A pcap file has one; a pcapng file describes each, section after section. */
export interface CaptureInterface {
  linkType: number;
  /** Longest frame that the capture kept; 0: no limit. */
  snapLength: number;
  /** The pcapng option if_tsresol: 0..127 powers of ten, with bit 0x80 powers of two. pcap: 6 or 9. */
  timestampResolution: number;
  /** The pcapng option if_tsoffset: whole seconds added to every timestamp. */
  timestampOffsetSeconds: bigint;
  /** pcapng: if_name, if_description; empty when absent. */
  name: string;
  description: string;
  options: CaptureOption[];
}

/** A cursor over the frames of a capture file. */
export interface CaptureReader {
  readonly format: 'pcap' | 'pcapng';
  /** Those described so far: more may come with later blocks. */
  readonly interfaces: readonly CaptureInterface[];
  /** Blocks passed over because they carry no frame or are of an unknown type. */
  readonly skippedBlocks: number;

  /** Moves to the next frame; false at the end. Throws one `CaptureError` where the file is damaged, then false. */
  next(): boolean;

  /** The current frame's place in `interfaces`. */
  readonly interfaceId: number;
  /** Nanoseconds since 1970; undefined for frames without one (pcapng simple packets). */
  readonly timestampNs: bigint | undefined;
  /** The captured bytes: `bytes[offset .. offset + capturedLength]`. */
  readonly offset: number;
  readonly capturedLength: number;
  /** Bytes that the frame had on the wire; more than `capturedLength` when it was cut. */
  readonly originalLength: number;
  /** pcapng: options of the frame (comments, flags, ...). */
  readonly options: readonly CaptureOption[];
}
