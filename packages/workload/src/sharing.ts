import { MAX_FLOWS } from './flows.ts';

/**
 * Which flow each packet of a stream belongs to: flows take turns in order; with `flows` 0 every packet opens a
 * new one. `shard` of `shards` sees only its own flows (flow modulo shards), as RSS sees to it on several queues.
 */
export interface Sharing {
  shard: number;
  shards: number;
}

/** Throws a RangeError that names the number which is wrong. */
export function checkStream(packets: number, flows: number, sharing: Sharing): void {
  if (!Number.isSafeInteger(packets) || packets < 1 || packets > 1e9) {
    throw new RangeError(`${packets} packets: a whole number from 1 to 1000000000 is needed`);
  }
  if (!Number.isSafeInteger(flows) || flows < 0 || flows > MAX_FLOWS) {
    throw new RangeError(
      `${flows} flows: a whole number from 0 (each packet a new flow) to ${MAX_FLOWS} is needed`,
    );
  }
  const { shard, shards } = sharing;
  if (!Number.isSafeInteger(shards) || shards < 1 || !(shard >= 0 && shard < shards)) {
    throw new RangeError(`shard ${shard} of ${shards} does not exist`);
  }
}
