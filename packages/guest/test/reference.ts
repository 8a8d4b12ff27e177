import { completeChecksum, NO_OFFLOAD, Segmenter } from '@vhostlab/virtio-net';
import { createSource, FrameHasher, reflect, type TrafficSpec } from '@vhostlab/workload';

/** What a stream looks like on the wire, and the sum of its bytes. */
export interface Reference {
  sha256: string;
  frames: number;
  bytes: number;
}

/** The hash of one shard of a stream as the wire carries it: GSO frames cut, checksums complete. */
export function referenceOf(spec: TrafficSpec, shard = 0, shards = 1, reflected = false): Reference {
  const source = createSource(spec, { shard, shards });
  const hasher = new FrameHasher();
  const bytes = new Uint8Array(200_000);
  const segmenter = new Segmenter(bytes);
  while (source.next()) {
    const length = source.write(bytes, 0);
    const offload = { ...NO_OFFLOAD, ...source.offload };
    if (offload.gsoType !== 0) {
      segmenter.begin(0, length, offload);
      for (let n = segmenter.next(100_000); n > 0; n = segmenter.next(100_000)) hasher.add(bytes, 100_000, n);
      continue;
    }
    if ((offload.flags & 1) !== 0) completeChecksum(bytes, 0, length, offload);
    if (reflected) reflect(bytes, 0, length);
    hasher.add(bytes, 0, length);
  }
  return { sha256: hasher.digest(), frames: hasher.frames, bytes: hasher.bytes };
}
