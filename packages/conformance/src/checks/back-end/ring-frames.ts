import { feature } from '../../bench/feature.ts';
import type { Segment } from '../../bench/raw-queue.ts';
import { NET_HEADER_BYTES, type Rig } from '../../bench/rig.ts';
import type { BackEndCheck } from '../../check.ts';
import { bufferChecks, type RingEntry } from './ring-check.ts';

const HEADER_CLAUSE = 'virtio 1.3, 5.1.6.2';
const NEEDS_CSUM = 1;

/** Fields of struct virtio_net_hdr. */
interface Header {
  readonly flags?: number;
  readonly gsoType?: number;
  readonly hdrLen?: number;
  readonly gsoSize?: number;
  readonly csumStart?: number;
  readonly csumOffset?: number;
  readonly numBuffers?: number;
}

/** A good frame of `frameBytes` with this header in front. */
function framed(rig: Rig, header: Header, frameBytes = 60): Segment[] {
  const segment = rig.frame(frameBytes);
  const at = rig.memory.offset(Number(segment.address));
  const view = new DataView(rig.memory.u8.buffer, at, NET_HEADER_BYTES);
  view.setUint8(0, header.flags ?? 0);
  view.setUint8(1, header.gsoType ?? 0);
  view.setUint16(2, header.hdrLen ?? 0, true);
  view.setUint16(4, header.gsoSize ?? 0, true);
  view.setUint16(6, header.csumStart ?? 0, true);
  view.setUint16(8, header.csumOffset ?? 0, true);
  view.setUint16(10, header.numBuffers ?? 0, true);
  return [segment];
}

interface Bad {
  readonly name: string;
  readonly title: string;
  readonly header: Header;
  /** Virtio features without which the field would be no more than noise. */
  readonly features?: bigint;
  readonly frameBytes?: number;
}

const CSUM = feature('CSUM');
const TSO = CSUM | feature('HOST_TSO4');

const BAD_HEADERS: readonly Bad[] = [
  { name: 'gso-unknown', title: 'a gso_type that nobody defined', header: { gsoType: 0x7e, gsoSize: 100 } },
  {
    name: 'gso-without-feature',
    title: 'TCP segmentation that was not negotiated',
    header: { gsoType: 1, gsoSize: 100, hdrLen: 54 },
  },
  {
    name: 'gso-size-0',
    title: 'TCP segmentation into segments of no bytes',
    header: { flags: NEEDS_CSUM, gsoType: 1, hdrLen: 54, csumStart: 34, csumOffset: 16 },
    features: TSO,
    frameBytes: 3000,
  },
  {
    name: 'gso-hdr-len',
    title: 'a header longer than the packet',
    header: { flags: NEEDS_CSUM, gsoType: 1, gsoSize: 1000, hdrLen: 0xffff, csumStart: 34, csumOffset: 16 },
    features: TSO,
    frameBytes: 3000,
  },
  {
    name: 'gso-not-tcp',
    title: 'TCP segmentation of a frame that is no IP',
    header: { flags: NEEDS_CSUM, gsoType: 1, gsoSize: 1000, hdrLen: 54, csumStart: 34, csumOffset: 16 },
    features: TSO,
    frameBytes: 3000,
  },
  {
    name: 'csum-without-feature',
    title: 'NEEDS_CSUM that was not negotiated',
    header: { flags: NEEDS_CSUM, csumStart: 34, csumOffset: 16 },
  },
  {
    name: 'csum-start',
    title: 'csum_start behind the packet',
    header: { flags: NEEDS_CSUM, csumStart: 0xfff0, csumOffset: 16 },
    features: CSUM,
  },
  {
    name: 'csum-offset',
    title: 'csum_offset behind the packet',
    header: { flags: NEEDS_CSUM, csumStart: 34, csumOffset: 0xfff0 },
    features: CSUM,
  },
  {
    name: 'csum-last-byte',
    title: 'a checksum in the last byte of the packet',
    header: { flags: NEEDS_CSUM, csumStart: 34, csumOffset: 25 },
    features: CSUM,
  },
  { name: 'num-buffers', title: 'num_buffers in a frame that is sent', header: { numBuffers: 0xffff } },
  {
    name: 'flags-all',
    title: 'all flags set',
    header: {
      flags: 0xff,
      csumStart: 0xffff,
      csumOffset: 0xffff,
      gsoType: 0xff,
      gsoSize: 0xffff,
      hdrLen: 0xffff,
    },
  },
];

const FRAMES: readonly (readonly [number, string])[] = [
  [0, 'no frame at all'],
  [1, 'a frame of one byte'],
  [13, 'a frame shorter than an Ethernet header'],
  [9014, 'a jumbo frame without segmentation'],
  [65535, 'a frame of 65535 bytes'],
  [70000, 'a frame of more than 64 KiB'],
];

/** Headers and frames of what is transmitted (items 25 and 26). */
export const RING_FRAMES: readonly BackEndCheck[] = [
  ...BAD_HEADERS.flatMap(({ name, title, header, features = 0n, frameBytes }) => {
    const entry: RingEntry = { name: `hdr-${name}`, title, item: 25, clause: HEADER_CLAUSE, features };
    return bufferChecks(entry, (rig) => framed(rig, header, frameBytes));
  }),
  ...FRAMES.flatMap(([bytes, title]) => {
    const entry: RingEntry = { name: `frame-${bytes}`, title, item: 26, clause: HEADER_CLAUSE };
    return bufferChecks(entry, (rig) => [rig.frame(bytes)]);
  }),
];
