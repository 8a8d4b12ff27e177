import { F_PROTOCOL_FEATURES, type FrontendSession, PROTOCOL_F } from '@vhostlab/vhost-user';
import {
  FeatureSet,
  STATUS_ACKNOWLEDGE,
  STATUS_DRIVER,
  STATUS_DRIVER_OK,
  STATUS_FEATURES_OK,
} from '@vhostlab/virtio-net';
import { FrontendError } from '../errors.ts';
import { chooseFeatures } from '../feature-choice.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import type { Settings } from '../options.ts';
import type { QueuePlan } from '../worker/plan.ts';
import type { RingEvents } from './ring-events.ts';

const NEGOTIATING = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK;

/**
 * First half: what both can do. `before` are the features of the back end that served the same rings last: another one
 * must offer all of them, since the driver cannot be asked again. Throws a FrontendError in one sentence.
 */
export async function agree(
  session: FrontendSession,
  settings: Settings,
  before: FeatureSet | undefined,
): Promise<FeatureSet> {
  const negotiated = await session.negotiate();
  if (negotiated.queuePairs < settings.queues) {
    throw new FrontendError(
      `the back end has ${negotiated.queuePairs} queue pairs, not ${settings.queues}: ask for fewer queues.`,
    );
  }
  const chosen = chooseFeatures(FeatureSet.fromBigInt(negotiated.offered), settings);
  if (typeof chosen === 'string') throw new FrontendError(`${chosen}.`);
  if (before !== undefined && !before.minus(chosen).isEmpty) {
    throw new FrontendError(
      `this back end does not offer ${before.minus(chosen)}, which the driver has been using.`,
      1,
    );
  }
  const features = before ?? chosen;
  await session.setFeatures(features.toBigInt() | (negotiated.features & F_PROTOCOL_FEATURES));
  if (hasStatus(session)) {
    await session.setStatus(NEGOTIATING);
    if (((await session.getStatus()) & STATUS_FEATURES_OK) === 0) {
      throw new FrontendError(`the back end refuses the features ${features}.`, 1);
    }
  }
  return features;
}

/** Second half: memory and rings, each at its base; then the rings run. */
export async function begin(
  session: FrontendSession,
  memory: GuestMemory,
  rings: readonly QueuePlan[],
  bases: readonly number[],
  events: readonly RingEvents[],
): Promise<void> {
  await session.setMemory(
    memory.regions.map(({ fd, bytes, gpa, userAddress }) => ({
      fd,
      region: {
        guestPhysAddr: BigInt(gpa),
        memorySize: BigInt(bytes),
        userspaceAddr: BigInt(userAddress),
        mmapOffset: 0n,
      },
    })),
  );
  for (const [at, { index, size, descOffset, driverOffset, deviceOffset }] of rings.entries()) {
    const { kick, call, err } = events[at];
    await session.setUpRing({
      index,
      size,
      base: bases[at],
      desc: BigInt(memory.userAddressOf(descOffset)),
      avail: BigInt(memory.userAddressOf(driverOffset)),
      used: BigInt(memory.userAddressOf(deviceOffset)),
      usedLogAddress: null,
      kick,
      call,
      err,
    });
  }
  // without protocol features rings are enabled by SET_FEATURES (vhost-user, "Ring states")
  if ((session.negotiated.features & F_PROTOCOL_FEATURES) !== 0n) {
    for (const { index } of rings) await session.setEnabled(index, true);
  }
  if (hasStatus(session)) await session.setStatus(NEGOTIATING | STATUS_DRIVER_OK);
}

/** Stops all rings; where each stands, as GET_VRING_BASE answers. */
export async function stopRings(session: FrontendSession, rings: readonly QueuePlan[]): Promise<number[]> {
  const bases: number[] = [];
  for (const { index } of rings) bases.push(await session.stopRing(index));
  if (hasStatus(session)) await session.setStatus(0);
  return bases;
}

function hasStatus(session: FrontendSession): boolean {
  return (session.negotiated.protocolFeatures & PROTOCOL_F.STATUS) !== 0n;
}
