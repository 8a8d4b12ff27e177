import { readCapture } from '@vhostlab/packet';
import { parseFrameSizes } from './frame-sizes.ts';
import { FCS_BYTES, MIN_WIRE_FRAME_BYTES } from './line-rate.ts';
import type { ScenarioConfig } from './scenario.ts';
import { DEFAULT_MSS_BYTES } from './tcp-stream-source.ts';

/** Ethernet, two VLAN tags, IPv6 and TCP with options. */
const TCP_HEADERS_BYTES = 90;

/**
 * Longest frame in memory (without FCS) that the traffic of a scenario has, frames that are still to be segmented
 * apart. Throws a RangeError for a size that is not understood, a `CaptureError` for a damaged capture.
 */
export function longestFrameBytes(config: Pick<ScenarioConfig, 'traffic' | 'capture'>): number {
  const { traffic } = config;
  if (traffic.kind === 'udp') return Math.max(...parseFrameSizes(traffic.size ?? '64')) - FCS_BYTES;
  if (traffic.kind === 'tcp-stream') return (traffic.mssBytes ?? DEFAULT_MSS_BYTES) + TCP_HEADERS_BYTES;
  const reader = readCapture(Buffer.from(config.capture ?? '', 'base64'));
  let longest = MIN_WIRE_FRAME_BYTES - FCS_BYTES;
  while (reader.next()) longest = Math.max(longest, reader.capturedLength);
  return longest;
}
