/** Block types and option codes of draft-ietf-opsawg-pcapng. */

export const BLOCK_SECTION = 0x0a0d0d0a;
export const BLOCK_INTERFACE = 1;
/** Obsolete Packet Block. */
export const BLOCK_PACKET = 2;
export const BLOCK_SIMPLE_PACKET = 3;
export const BLOCK_ENHANCED_PACKET = 6;
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

export const OPTION_END = 0;
export const OPTION_COMMENT = 1;
export const OPTION_IF_NAME = 2;
export const OPTION_IF_DESCRIPTION = 3;
export const OPTION_IF_TSRESOL = 9;
export const OPTION_IF_TSOFFSET = 14;

/** Nanoseconds of `units` ticks of an if_tsresol resolution, rounded down. */
export function ticksToNs(ticks: bigint, resolution: number): bigint {
  if (resolution & 0x80) return (ticks * 1_000_000_000n) >> BigInt(resolution & 0x7f);
  return resolution <= 9 ? ticks * 10n ** BigInt(9 - resolution) : ticks / 10n ** BigInt(resolution - 9);
}

/** Ticks of an if_tsresol resolution in `ns` nanoseconds, rounded down. */
export function nsToTicks(ns: bigint, resolution: number): bigint {
  if (resolution & 0x80) return (ns << BigInt(resolution & 0x7f)) / 1_000_000_000n;
  return resolution <= 9 ? ns / 10n ** BigInt(9 - resolution) : ns * 10n ** BigInt(resolution - 9);
}
