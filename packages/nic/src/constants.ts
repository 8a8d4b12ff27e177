import type { CoreContext, Ps } from '@vhostlab/engine';
import type { PcieLink as PcieLinkName } from '@vhostlab/workload';
import type { PcieSettings } from './dma/pcie.ts';

const PS_PER_NS = 1000;

/** Numbers of the cost profile that the NIC's hardware is made of; moments and durations in picoseconds. */
export interface NicConstants {
  readonly pcie: PcieSettings;
  /** Posted write of the NIC to the moment at which the driver sees it: the channel's own latency. */
  readonly upLatencyPs: Ps;
  readonly iotlbEntries: number;
  readonly iotlbMissPs: Ps;
  readonly iotlbWalkPs: Ps;
  readonly msixModerationPs: Ps;
  readonly msixModerationFrames: number;
  /** MAC, parser and steering of a received frame, before its DMA is seen. */
  readonly rxPipelinePs: Ps;
  /** From a frame's bytes in the NIC to the wire. */
  readonly txPipelinePs: Ps;
  readonly batchWindowPs: Ps;
  readonly writeBackBatch: number;
  readonly descriptorPrefetch: number;
  /** Payload is read ahead no further than the transmit buffer holds: the time that the link takes for as much. */
  readonly readAheadPs: Ps;
}

/** Numbers of the embedded switch. */
export interface EswitchConstants {
  readonly latencyPs: Ps;
  readonly bytesPerPs: number;
  readonly framePs: Ps;
  readonly insertsPerSecond: number;
  readonly tableEntries: number;
  readonly outstandingUpcalls: number;
  /** Frames that wait for an answer on one port, and the bytes that they have together. */
  readonly holdFrames: number;
  readonly holdBytes: number;
  /** Slow path of a frame whose flow is known and not yet installed. */
  readonly representorPs: Ps;
}

function ns(context: CoreContext, name: string): Ps {
  return Math.round(context.constant(name) * PS_PER_NS);
}

/** Reads the NIC's numbers; throws, naming the constant, when the profile lacks one. */
export function readNicConstants(context: CoreContext, link: PcieLinkName): NicConstants {
  const gbps = context.constant(`pcie.${link}Gbps`);
  return {
    pcie: {
      gbps,
      writeHeaderBytes: context.constant('pcie.tlpWriteHeaderBytes'),
      readHeaderBytes: context.constant('pcie.tlpReadHeaderBytes'),
      completionHeaderBytes: context.constant('pcie.tlpCompletionHeaderBytes'),
      maxPayloadBytes: context.constant('pcie.maxPayloadBytes'),
      maxReadRequestBytes: context.constant('pcie.maxReadRequestBytes'),
      readLatencyPs: ns(context, 'pcie.readLatencyNs'),
      outstandingReads: context.constant('pcie.outstandingReads'),
    },
    upLatencyPs: ns(context, 'latency.dma.baNs'),
    iotlbEntries: context.constant('iotlb.entries'),
    iotlbMissPs: ns(context, 'iotlb.missLatencyNs'),
    iotlbWalkPs: ns(context, 'iotlb.walkOccupancyNs'),
    msixModerationPs: ns(context, 'nic.msixModerationNs'),
    msixModerationFrames: context.constant('nic.msixModerationFrames'),
    rxPipelinePs: ns(context, 'nic.rxPipelineNs'),
    txPipelinePs: ns(context, 'nic.txPipelineNs'),
    batchWindowPs: ns(context, 'nic.batchWindowNs'),
    writeBackBatch: context.constant('nic.writeBackBatch'),
    descriptorPrefetch: context.constant('nic.descriptorPrefetch'),
    readAheadPs: Math.round((context.constant('nic.txBufferBytes') * 8000) / gbps),
  };
}

/** Reads the embedded switch's numbers; throws, naming the constant, when the profile lacks one. */
export function readEswitchConstants(context: CoreContext): EswitchConstants {
  return {
    latencyPs: ns(context, 'nic.eswitchNs'),
    bytesPerPs: context.constant('nic.eswitchGbps') / 8000,
    framePs: Math.round(1e6 / context.constant('nic.eswitchMpps')),
    insertsPerSecond: context.constant('eswitch.insertsPerSecond'),
    tableEntries: context.constant('eswitch.tableEntries'),
    outstandingUpcalls: context.constant('eswitch.outstandingUpcalls'),
    holdFrames: context.constant('eswitch.holdFrames'),
    holdBytes: context.constant('eswitch.holdBytes'),
    representorPs: ns(context, 'eswitch.representorNs'),
  };
}
