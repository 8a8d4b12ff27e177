import type { AddressSpace, Arena } from '@vhostlab/memory';
import { encodeBase, type RingBase } from '@vhostlab/vhost-user';
import {
  type DeviceQueue,
  DirectPublisher,
  PackedDevice,
  type RingPlace,
  SplitDevice,
} from '@vhostlab/virtqueue';
import type { RingStart } from '../../control/commands.ts';
import { resumedBase } from '../resume.ts';
import type { InflightPart } from './inflight-part.ts';
import { JournaledPacked } from './journaled-packed.ts';
import { recoverPacked } from './recover-packed.ts';
import { SplitInflight } from './split-inflight.ts';

/** The queue of a ring that starts, where it goes on; a sentence: it cannot start. */
export function startQueue(
  arena: Arena,
  space: AddressSpace,
  place: RingPlace,
  start: RingStart,
  inflight: InflightPart | undefined,
): DeviceQueue | string {
  if (start.format === 'packed') return startPacked(arena, space, place, start, inflight);
  const base = resumedBase(start, arena);
  const region = inflight && new SplitInflight(arena, place, inflight.offset);
  const queue = new SplitDevice(arena, region ?? new DirectPublisher(arena), space, place);
  queue.restoreBase(encodeBase(base));
  if (region === undefined) return queue;
  const heads = region.recover(encodeBase(base));
  if (typeof heads === 'string') return heads;
  return queue.resubmit(heads)
    ? queue
    : `ring ${place.index} has not so many buffers available as the inflight region has in flight (${heads.length})`;
}

function startPacked(
  arena: Arena,
  space: AddressSpace,
  place: RingPlace,
  { base }: RingStart,
  inflight: InflightPart | undefined,
): DeviceQueue | string {
  const at =
    base.format === 'packed' && inflight !== undefined ? whereItIs(arena, place, inflight, base) : base;
  if (typeof at === 'string') return at;
  const publisher = new DirectPublisher(arena);
  const queue =
    inflight === undefined || at.format === 'split'
      ? new PackedDevice(arena, publisher, space, place)
      : new JournaledPacked(arena, publisher, space, place, inflight.offset, {
          slot: at.used,
          wrap: at.usedWrap ? 1 : 0,
        });
  if (queue.restoreBase(encodeBase(at))) return queue;
  return `the base 0x${encodeBase(at).toString(16)} lies outside of ring ${place.index}`;
}

/** A region that a front end gave back outranks SET_VRING_BASE: the ring itself says nothing, and nobody else knows. */
function whereItIs(
  arena: Arena,
  place: RingPlace,
  { offset, fresh }: InflightPart,
  base: RingBase & { format: 'packed' },
): RingBase | string {
  const found = fresh ? undefined : recoverPacked(arena, place, offset);
  if (found === undefined || typeof found === 'string') return found ?? base;
  const { slot, wrap } = found;
  return { format: 'packed', avail: slot, availWrap: wrap === 1, used: slot, usedWrap: wrap === 1 };
}
