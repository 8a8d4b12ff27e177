import type { HotCases } from '@vhostlab/memory/test-kit';
import { PcapWriter } from '@vhostlab/packet';
import {
  createSource,
  createVerifySource,
  FrameHasher,
  type FrameSource,
  LatencyStamp,
  reflect,
  type TrafficSpec,
  VerifyChecker,
} from '../../src/index.ts';

const BASE: TrafficSpec = { kind: 'udp', packets: 1e9, lineBps: 25e9, seed: 1, flows: 1000 };

/** Next frame and its bytes, as a generator does for every packet. */
function pump(source: FrameSource): (call: number) => void {
  const memory = new Uint8Array(1 << 17);
  return (call) => {
    source.next();
    source.write(memory, (call & 15) << 6);
  };
}

function capture(): Uint8Array {
  const writer = new PcapWriter();
  for (let i = 0; i < 100; i++) {
    writer.write({ bytes: new Uint8Array(60 + i * 10).fill(i), timestampNs: BigInt(i) * 1000n });
  }
  return writer.take();
}

/** Frames of random sizes that are lost, late, damaged and come twice now and then. */
function verify(isStamped: boolean): (call: number) => void {
  const slots = 32;
  const slotBytes = 2048;
  const memory = new Uint8Array(slots * slotBytes);
  const lengths = new Uint16Array(slots);
  const between = { minBytes: 72, maxBytes: 1518 };
  const source = createVerifySource({ ...BASE, flows: 64 }, { between, isStamped });
  const checker = new VerifyChecker({ streamId: BASE.seed, flows: 64, window: 256 });
  const now = new LatencyStamp();
  let longestNs = 0;
  return (call) => {
    const slot = call % slots;
    now.setNs(call * 1e7);
    source.stamp.setNs(call * 1e7 - 5000);
    source.next();
    lengths[slot] = source.write(memory, slot * slotBytes + 2);
    if (call % 64 === 7) memory[slot * slotBytes + 65] ^= 4;
    const from = call % 5 === 0 ? (call * 7) % slots : slot;
    if (call % 11 !== 3) checker.check(memory, from * slotBytes + 2, lengths[from]);
    if (isStamped) longestNs = Math.max(longestNs, checker.stamp.elapsedNs(now));
  };
}

export const hotCases: HotCases = {
  'UDP source, constant rate': () => pump(createSource({ ...BASE, size: 'imix' })),
  'UDP source, Poisson, new flows, random sizes': () =>
    pump(
      createSource({ ...BASE, size: 'imix', sizeOrder: 'random', flows: 0, arrival: { kind: 'poisson' } }),
    ),
  'TCP stream source': () => pump(createSource({ ...BASE, kind: 'tcp-stream' })),
  'pcap source': () => pump(createSource({ ...BASE, kind: 'pcap' }, { capture: capture() })),
  'verify source and checker': () => verify(false),
  'verify source and checker, with times': () => verify(true),
  'frame hash and reflection': () => {
    const memory = new Uint8Array(4096).fill(7);
    const hasher = new FrameHasher();
    return (call) => {
      reflect(memory, 0, 60);
      hasher.add(memory, call & 63, 60 + (call & 127));
    };
  },
};
