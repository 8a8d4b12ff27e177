import type { AddressSpace, Arena } from '@vhostlab/memory';
import {
  type DeviceQueue,
  PackedDevice,
  PackedPlain,
  type PlainRing,
  type PlainRules,
  type RingPlace,
  SplitDevice,
  SplitPlain,
} from '@vhostlab/virtqueue';

/** The fast side of a queue, in whichever format it is. Throws for a queue of another kind. */
export function plainRing(
  arena: Arena,
  queue: DeviceQueue,
  space: AddressSpace,
  place: RingPlace,
  rules: PlainRules,
): PlainRing {
  if (queue instanceof SplitDevice) return new SplitPlain(arena, queue, space, place, rules);
  if (queue instanceof PackedDevice) return new PackedPlain(arena, queue, space, place, rules);
  throw new Error(`queue ${queue.index} is neither split nor packed`);
}
