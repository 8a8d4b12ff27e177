import { FeatureSet } from './feature-set.ts';
import { type FeatureDefinition, featureByBit } from './features.ts';

/**
 * Why a bit that one side named is not in the negotiated set: the other side did not name it, something it
 * depends on is missing, nobody knows the bit, or it is a bit of vhost that no driver may see.
 */
export type DropReason = 'not-offered' | 'not-wanted' | 'requirement' | 'unknown' | 'vhost-only';

export interface DroppedFeature {
  readonly bit: number;
  /** Name, or `bit N`. */
  readonly name: string;
  readonly reason: DropReason;
  /** With `requirement`: what is missing, such as `CTRL_VQ` or `HOST_TSO4|HOST_TSO6`. Empty otherwise. */
  readonly missing: string;
}

export interface Negotiation {
  readonly accepted: FeatureSet;
  /** In the order of the bits. */
  readonly dropped: readonly DroppedFeature[];
}

/** What `feature` needs and `set` lacks: the first unmet requirement of the specification, or ''. */
function unmetRequirement(feature: FeatureDefinition, set: FeatureSet): string {
  for (const alternatives of feature.requires ?? []) {
    if (!alternatives.some((name) => set.has(name))) return alternatives.join('|');
  }
  return '';
}

function unmetUse(feature: FeatureDefinition, set: FeatureSet): string {
  return feature.uses?.find((name) => !set.has(name)) ?? '';
}

/**
 * What a well-behaved driver acknowledges of an offer: bits that both sides name, whose dependencies are all
 * met within the result (virtio 1.3, 2.2 and 5.1.3.1), with a reason for every other bit either side named.
 */
export function negotiate(deviceOffers: FeatureSet, driverWants: FeatureSet): Negotiation {
  const dropped: DroppedFeature[] = [];
  const drop = (bit: number, reason: DropReason, missing = '') =>
    dropped.push({ bit, name: featureByBit(bit)?.name ?? `bit ${bit}`, reason, missing });
  let accepted = deviceOffers.and(driverWants);
  for (const bit of deviceOffers.or(driverWants).bits()) {
    const group = featureByBit(bit)?.group;
    const single = FeatureSet.fromBits([bit]);
    if (group === undefined) drop(bit, 'unknown');
    else if (group === 'vhost') drop(bit, 'vhost-only');
    else if (!deviceOffers.hasBit(bit)) drop(bit, 'not-offered');
    else if (!driverWants.hasBit(bit)) drop(bit, 'not-wanted');
    else continue;
    accepted = accepted.minus(single);
  }
  for (let settled = false; !settled; ) {
    settled = true;
    for (const bit of accepted.bits()) {
      const feature = featureByBit(bit)!;
      const missing = unmetRequirement(feature, accepted) || unmetUse(feature, accepted);
      if (missing === '') continue;
      drop(bit, 'requirement', missing);
      accepted = accepted.minus(FeatureSet.fromBits([bit]));
      settled = false;
    }
  }
  return { accepted, dropped: dropped.sort((a, b) => a.bit - b.bit) };
}

export interface AckFault {
  readonly bit: number;
  readonly name: string;
  readonly reason: 'not-offered' | 'requirement';
  /** With `requirement`: what is missing. Empty otherwise. */
  readonly missing: string;
}

/**
 * Why a device refuses FEATURES_OK for what a driver acknowledged: bits that were not offered or whose
 * requirements (virtio 1.3, 5.1.3.1) are missing. Empty: the set is acceptable.
 */
export function checkAcknowledged(deviceOffers: FeatureSet, acknowledged: FeatureSet): AckFault[] {
  const faults: AckFault[] = [];
  for (const bit of acknowledged.bits()) {
    const feature = featureByBit(bit);
    const name = feature?.name ?? `bit ${bit}`;
    if (!deviceOffers.hasBit(bit)) {
      faults.push({ bit, name, reason: 'not-offered', missing: '' });
    } else if (feature !== undefined) {
      const missing = unmetRequirement(feature, acknowledged);
      if (missing !== '') faults.push({ bit, name, reason: 'requirement', missing });
    }
  }
  return faults;
}
