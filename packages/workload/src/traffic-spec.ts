import { DEFAULT_ENDPOINTS, type Endpoints } from './endpoints.ts';
import { parseFrameSizes } from './frame-sizes.ts';
import type { FrameSource } from './frame-source.ts';
import { type Arrival, createPacer } from './pacer.ts';
import { PcapSource } from './pcap-source.ts';
import { parseRate } from './rate.ts';
import { DEFAULT_MSS_BYTES, TcpStreamSource } from './tcp-stream-source.ts';
import { UdpSource } from './udp-source.ts';

/** Traffic as plain data: what it consists of and when it departs, not which core makes it. */
export interface TrafficSpec {
  /** `udp`: synthetic frames. `tcp-stream`: bulk segments. `pcap`: frames of a capture, given to `createSource`. */
  kind: 'udp' | 'tcp-stream' | 'pcap';
  /** Frames, 1 to 10^9. pcap: default is the file once. */
  packets?: number;
  /** udp: as `--size`, a number with FCS, a mix or a genome. */
  size?: string;
  /** udp: in order (default) or drawn at random. */
  sizeOrder?: 'sequence' | 'random';
  /** Flows that take turns; 0: each packet a new one. Default 1; pcap: those of the file. */
  flows?: number;
  /** As `--rate`; default `line`. pcap: absent means the moments of the capture. */
  rate?: string;
  arrival?: Arrival;
  /** Speed of the line that rates refer to. */
  lineBps: number;
  seed: number;
  ipVersion?: 4 | 6;
  vlan?: number;
  endpoints?: Partial<Endpoints>;
  /** tcp-stream */
  mssBytes?: number;
  gso?: boolean;
  checksumOffload?: boolean;
  /** pcap: the capture's moments are divided by it; default 1. */
  speed?: number;
}

/** Which part of a stream a source gives, and the capture's bytes. */
export interface SourceOptions {
  /** This source gives the flows whose number modulo `shards` is `shard`; default: all. */
  shard?: number;
  shards?: number;
  capture?: Uint8Array;
  /** pcap: longer frames are left out and counted; default 65549. */
  maxFrameBytes?: number;
}

/**
 * Makes the source of a stream. Shards of one stream agree on every packet's number, flow and moment. Throws a
 * RangeError that names the wrong field, or a `CaptureError`.
 */
export function createSource(spec: TrafficSpec, options: SourceOptions = {}): FrameSource {
  const sharing = { shard: options.shard ?? 0, shards: options.shards ?? 1 };
  const arrival = spec.arrival ?? { kind: 'constant' };
  const pacer = createPacer(parseRate(spec.rate ?? 'line', spec.lineBps), arrival, spec.seed);
  if (spec.kind === 'pcap') {
    if (options.capture === undefined)
      throw new RangeError('traffic of kind pcap needs the bytes of a capture');
    return new PcapSource(options.capture, {
      ...(spec.packets === undefined ? {} : { packets: spec.packets }),
      ...(options.maxFrameBytes === undefined ? {} : { maxFrameBytes: options.maxFrameBytes }),
      timing:
        spec.rate === undefined ? { kind: 'captured', speed: spec.speed ?? 1 } : { kind: 'paced', pacer },
      sharing,
    });
  }
  if (spec.packets === undefined)
    throw new RangeError(`traffic of kind ${spec.kind} needs a number of packets`);
  const stream = {
    packets: spec.packets,
    flows: spec.flows ?? 1,
    ipVersion: spec.ipVersion ?? 4,
    ...(spec.vlan === undefined ? {} : { vlan: spec.vlan }),
    endpoints: { ...DEFAULT_ENDPOINTS, ...spec.endpoints },
    pacer,
    sharing,
  };
  if (spec.kind === 'tcp-stream') {
    return new TcpStreamSource({
      ...stream,
      mssBytes: spec.mssBytes ?? DEFAULT_MSS_BYTES,
      gso: spec.gso ?? false,
      checksumOffload: spec.checksumOffload ?? false,
    });
  }
  return new UdpSource({
    ...stream,
    sizes: parseFrameSizes(spec.size ?? '64'),
    sizeOrder: spec.sizeOrder ?? 'sequence',
    seed: spec.seed,
  });
}
