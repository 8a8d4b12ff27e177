import type { HotCases } from '@vhostlab/memory/test-kit';
import { PcapWriter } from '@vhostlab/packet';
import { createSource, FrameHasher, type FrameSource, reflect, type TrafficSpec } from '../../src/index.ts';

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

export const hotCases: HotCases = {
  'UDP source, constant rate': () => pump(createSource({ ...BASE, size: 'imix' })),
  'UDP source, Poisson, new flows, random sizes': () =>
    pump(
      createSource({ ...BASE, size: 'imix', sizeOrder: 'random', flows: 0, arrival: { kind: 'poisson' } }),
    ),
  'TCP stream source': () => pump(createSource({ ...BASE, kind: 'tcp-stream' })),
  'pcap source': () => pump(createSource({ ...BASE, kind: 'pcap' }, { capture: capture() })),
  'frame hash and reflection': () => {
    const memory = new Uint8Array(4096).fill(7);
    const hasher = new FrameHasher();
    return (call) => {
      reflect(memory, 0, 60);
      hasher.add(memory, call & 63, 60 + (call & 127));
    };
  },
};
