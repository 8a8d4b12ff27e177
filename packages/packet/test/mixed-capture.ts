/**
 * The bytes of `examples/traffic/mixed.pcapng`. Run as a program it writes the file:
 * `node packages/packet/test/mixed-capture.ts`.
 */
import { writeFileSync } from 'node:fs';
import { PcapngWriter } from '../src/index.ts';
import { mixedFrames } from './mixed-frames.ts';

export const MIXED_CAPTURE = new URL('../../../examples/traffic/mixed.pcapng', import.meta.url);

/** 2026-01-01 00:00:00 UTC. */
const START_NS = 1_767_225_600_000_000_000n;

/** Two interfaces that keep time differently (nanoseconds; microseconds with an offset) take turns. */
export function mixedCapture(): Uint8Array {
  const writer = new PcapngWriter();
  writer.addInterface({
    name: 'port0',
    description: 'nanosecond clock',
    timestampResolution: 9,
    snapLength: 1518,
  });
  writer.addInterface({
    name: 'port1',
    description: 'microsecond clock with an offset',
    timestampResolution: 6,
    timestampOffsetSeconds: 1_767_225_600n,
  });
  let ns = START_NS;
  for (const [index, bytes] of mixedFrames().entries()) {
    const interfaceId = index % 3 === 2 ? 1 : 0;
    // Microseconds cannot hold more than whole ones: the clock waits for the next.
    if (interfaceId === 1) ns += (1000n - (ns % 1000n)) % 1000n;
    const comment = index === 0 ? 'made by vhostlab, own content only' : '';
    writer.write({ bytes, timestampNs: ns, interfaceId, comment });
    ns += BigInt(1300 + ((index * 7919) % 4001));
  }
  return writer.take();
}

if (import.meta.main) writeFileSync(MIXED_CAPTURE, mixedCapture());
