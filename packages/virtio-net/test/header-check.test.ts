import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkHeader,
  FeatureSet,
  HEADER_FAULTS,
  type HeaderFields,
  NO_OFFLOAD,
  receiveRules,
  transmitRules,
} from '../src/index.ts';

const ALL = transmitRules(
  FeatureSet.of('CSUM', 'HOST_TSO4', 'HOST_TSO6', 'HOST_USO', 'HOST_UFO', 'HOST_ECN'),
);
const NONE = transmitRules(FeatureSet.of('VERSION_1'));
const TSO4: HeaderFields = { flags: 1, gsoType: 1, hdrLen: 54, gsoSize: 1448, csumStart: 34, csumOffset: 16 };

function check(changes: Partial<HeaderFields>, frameBytes = 3000, rules = ALL): string {
  return HEADER_FAULTS[checkHeader({ ...TSO4, ...changes }, frameBytes, rules)];
}

describe('checkHeader', () => {
  it('passes what was negotiated', () => {
    expect(check({})).toBe('ok');
    expect(check({ gsoType: 0x81 })).toBe('ok');
    expect(check({ gsoType: 5, csumOffset: 6 })).toBe('ok');
    expect(HEADER_FAULTS[checkHeader(NO_OFFLOAD, 60, NONE)]).toBe('ok');
    expect(check({ gsoType: 0, csumStart: 2992, csumOffset: 6 })).toBe('ok');
  });

  it('names the fault', () => {
    expect(check({}, 13)).toBe('frame-short');
    expect(check({}, 65_558)).toBe('frame-long');
    expect(check({ gsoType: 0 }, 3000, NONE)).toBe('csum-not-negotiated');
    expect(check({ gsoType: 0, csumStart: 2993, csumOffset: 6 })).toBe('csum-range');
    expect(check({ gsoType: 0, csumStart: 0xffff, csumOffset: 0xffff })).toBe('csum-range');
    for (const gsoType of [2, 6, 0x20, 0x40, 0x61, 0x80, 0x85]) expect(check({ gsoType })).toBe('gso-type');
    expect(check({ gsoType: 4 }, 3000, transmitRules(FeatureSet.of('CSUM', 'HOST_TSO4')))).toBe(
      'gso-not-negotiated',
    );
    expect(check({ gsoType: 0x81 }, 3000, transmitRules(FeatureSet.of('CSUM', 'HOST_TSO4')))).toBe(
      'ecn-not-negotiated',
    );
    expect(check({ gsoSize: 0 })).toBe('gso-size');
    expect(check({ flags: 0 })).toBe('gso-without-csum');
    expect(check({ hdrLen: 3001 })).toBe('hdr-len');
  });

  it('lets nothing but plain frames pass when nothing was negotiated', () => {
    const byte = fc.nat(0xff);
    const word = fc.nat(0xffff);
    const fields = fc.record({
      flags: byte,
      gsoType: byte,
      hdrLen: word,
      gsoSize: word,
      csumStart: word,
      csumOffset: word,
    });
    fc.assert(
      fc.property(fields, fc.nat(70_000), (header, frameBytes) => {
        const code = checkHeader(header, frameBytes, NONE);
        expect(HEADER_FAULTS[code]).toBeDefined();
        if (code !== 0) return;
        expect([header.flags & 1, header.gsoType]).toEqual([0, 0]);
        expect(frameBytes).toBeGreaterThanOrEqual(14);
      }),
    );
  });

  it('has the rules of the receive direction from GUEST features', () => {
    const rules = receiveRules(FeatureSet.of('GUEST_CSUM', 'GUEST_TSO4'));
    expect(check({}, 3000, rules)).toBe('ok');
    expect(check({ gsoType: 4 }, 3000, rules)).toBe('gso-not-negotiated');
  });
});
