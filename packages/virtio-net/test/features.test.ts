import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkAcknowledged,
  FEATURES,
  type FeatureName,
  FeatureSet,
  featureByBit,
  featureByName,
  negotiate,
} from '../src/index.ts';

const anySet = fc
  .tuple(fc.nat({ max: 0xffffffff }), fc.nat({ max: 0xffffffff }))
  .map(([low, high]) => new FeatureSet(low, high));
/** Sets of known bits: random words almost never satisfy a chain of requirements. */
const knownSet = fc
  .subarray(
    FEATURES.map((feature) => feature.name),
    { minLength: 0 },
  )
  .map((names) => FeatureSet.of(...names));

describe('feature table', () => {
  it('has each bit and each name once, in the order of the bits', () => {
    const bits = FEATURES.map((feature) => feature.bit);
    expect(bits).toEqual([...new Set(bits)].sort((a, b) => a - b));
    expect(new Set(FEATURES.map((feature) => feature.name)).size).toBe(FEATURES.length);
  });

  it('has the numbers of virtio 1.3', () => {
    const numbers: [FeatureName, number][] = [
      ['CSUM', 0],
      ['GUEST_CSUM', 1],
      ['MAC', 5],
      ['GUEST_TSO4', 7],
      ['HOST_TSO4', 11],
      ['MRG_RXBUF', 15],
      ['STATUS', 16],
      ['CTRL_VQ', 17],
      ['MQ', 22],
      ['CTRL_MAC_ADDR', 23],
      ['INDIRECT_DESC', 28],
      ['EVENT_IDX', 29],
      ['VERSION_1', 32],
      ['ACCESS_PLATFORM', 33],
      ['RING_PACKED', 34],
      ['IN_ORDER', 35],
      ['NOTIFICATION_DATA', 38],
      ['RING_RESET', 40],
      ['HOST_USO', 56],
      ['HASH_REPORT', 57],
      ['RSS', 60],
      ['SPEED_DUPLEX', 63],
    ];
    for (const [name, bit] of numbers) {
      expect(featureByName(name).bit, name).toBe(bit);
      expect(featureByBit(bit)?.name).toBe(name);
    }
  });

  it('requires only features that exist', () => {
    for (const feature of FEATURES) {
      for (const name of [...(feature.requires ?? []).flat(), ...(feature.uses ?? [])]) {
        expect(featureByName(name).bit).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it('takes the prefixes of the specification and names what it does not know', () => {
    expect(featureByName('VIRTIO_NET_F_MQ').bit).toBe(22);
    expect(featureByName('VIRTIO_F_RING_PACKED').bit).toBe(34);
    expect(() => featureByName('TSO4')).toThrow('"TSO4" is not a virtio feature');
  });
});

describe('FeatureSet', () => {
  it('holds bits of both words', () => {
    const set = FeatureSet.of('CSUM', 'PROTOCOL_FEATURES', 'VERSION_1', 'SPEED_DUPLEX');
    expect([set.low, set.high]).toEqual([0x40000001, 0x80000001]);
    expect(set.toHex()).toBe('0x8000000140000001');
    expect(set.has('VERSION_1')).toBe(true);
    expect(set.has('RING_PACKED')).toBe(false);
    expect(set.without('VERSION_1').has('VERSION_1')).toBe(false);
    expect(set.word(2)).toBe(0);
  });

  it('prints unknown bits by number', () => {
    expect(String(FeatureSet.fromBits([0, 31, 63]))).toBe('CSUM bit 31 SPEED_DUPLEX');
  });

  it('refuses bits outside 0 to 63', () => {
    expect(() => FeatureSet.fromBits([64])).toThrow('64 is not a feature bit');
  });

  it('agrees with 64-bit arithmetic', () => {
    fc.assert(
      fc.property(anySet, anySet, (a, b) => {
        expect(FeatureSet.fromBigInt(a.toBigInt()).equals(a)).toBe(true);
        expect(a.and(b).toBigInt()).toBe(a.toBigInt() & b.toBigInt());
        expect(a.or(b).toBigInt()).toBe(a.toBigInt() | b.toBigInt());
        expect(a.minus(b).toBigInt()).toBe(a.toBigInt() & ~b.toBigInt());
        expect(FeatureSet.fromBits(a.bits()).equals(a)).toBe(true);
      }),
    );
  });
});

describe('negotiate', () => {
  it('gives a reason for every bit that is not accepted', () => {
    const offers = FeatureSet.of('CSUM', 'HOST_TSO4', 'MQ', 'VERSION_1', 'LOG_ALL', 'MTU', 'HOST_ECN');
    const wants = FeatureSet.of('HOST_TSO4', 'HOST_ECN', 'MQ', 'VERSION_1', 'RING_PACKED', 'LOG_ALL').or(
      FeatureSet.fromBits([44]),
    );
    const { accepted, dropped } = negotiate(offers, wants);
    expect(accepted.names()).toEqual(['VERSION_1']);
    expect(dropped.map(({ name, reason, missing }) => `${name}: ${reason} ${missing}`)).toEqual([
      'CSUM: not-wanted ',
      'MTU: not-wanted ',
      'HOST_TSO4: requirement CSUM',
      'HOST_ECN: requirement HOST_TSO4|HOST_TSO6',
      'MQ: requirement CTRL_VQ',
      'LOG_ALL: vhost-only ',
      'RING_PACKED: not-offered ',
      'bit 44: unknown ',
    ]);
  });

  it('never accepts a bit whose requirement is missing, nor one that a side did not name', () => {
    fc.assert(
      fc.property(knownSet, knownSet, (offers, wants) => {
        const { accepted, dropped } = negotiate(offers, wants);
        expect(accepted.minus(offers.and(wants)).isEmpty).toBe(true);
        expect(checkAcknowledged(offers, accepted)).toEqual([]);
        const explained = FeatureSet.fromBits(dropped.map((drop) => drop.bit));
        expect(explained.equals(offers.or(wants).minus(accepted))).toBe(true);
        expect(dropped.length).toBe(explained.bits().length);
      }),
    );
  });

  it('accepts everything that both sides name when nothing is missing', () => {
    const all = FeatureSet.of(
      ...FEATURES.filter((feature) => feature.group !== 'vhost').map((feature) => feature.name),
    );
    expect(negotiate(all, all)).toEqual({ accepted: all, dropped: [] });
  });
});

describe('checkAcknowledged', () => {
  it('names unoffered bits and missing requirements', () => {
    const offers = FeatureSet.of('VERSION_1', 'CTRL_VQ', 'MQ', 'GUEST_TSO4');
    const faults = checkAcknowledged(offers, FeatureSet.of('VERSION_1', 'MQ', 'GUEST_TSO4', 'MTU'));
    expect(faults).toEqual([
      { bit: 3, name: 'MTU', reason: 'not-offered', missing: '' },
      { bit: 7, name: 'GUEST_TSO4', reason: 'requirement', missing: 'GUEST_CSUM' },
      { bit: 22, name: 'MQ', reason: 'requirement', missing: 'CTRL_VQ' },
    ]);
  });

  it('lets pass what the specification does not demand', () => {
    const offers = FeatureSet.of('VERSION_1', 'CTRL_GUEST_OFFLOADS');
    expect(checkAcknowledged(offers, offers)).toEqual([]);
    expect(negotiate(offers, offers).dropped.map((drop) => drop.missing)).toEqual(['CTRL_VQ']);
  });
});
