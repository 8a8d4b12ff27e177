import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StatusMachine, statusNames } from '../src/index.ts';

const yes = () => true;
const no = () => false;

describe('StatusMachine', () => {
  it('goes up in the order of virtio 1.3, 3.1.1', () => {
    const status = new StatusMachine();
    expect([1, 3, 11, 15].map((value) => status.write(value, yes))).toEqual(Array(4).fill('accepted'));
    expect(status.value).toBe(15);
    expect(status.live).toBe(true);
  });

  it('leaves FEATURES_OK clear when the features are refused', () => {
    const status = new StatusMachine();
    status.write(3, yes);
    expect(status.write(11, no)).toBe('features-refused');
    expect(status.value).toBe(3);
    expect(status.write(11, yes)).toBe('accepted');
  });

  it('refuses steps out of order, cleared and unknown bits without changing', () => {
    const status = new StatusMachine();
    expect(status.write(2, yes)).toBe('out-of-order');
    expect(status.write(9, yes)).toBe('out-of-order');
    expect(status.write(7, yes)).toBe('out-of-order');
    expect(status.write(1 | 32, yes)).toBe('unknown-bit');
    status.write(3, yes);
    expect(status.write(1, yes)).toBe('bit-cleared');
    expect(status.value).toBe(3);
  });

  it('stays failed until it is reset', () => {
    const status = new StatusMachine();
    status.write(3, yes);
    status.write(3 | 128, yes);
    expect(status.write(3 | 128 | 8, yes)).toBe('failed');
    expect(status.write(0, yes)).toBe('reset');
    expect(status.value).toBe(0);
  });

  it('tells of NEEDS_RESET once, and only a driver that is up', () => {
    const early = new StatusMachine();
    early.write(3, yes);
    expect(early.setNeedsReset()).toBe(false);
    const live = new StatusMachine();
    live.write(15, yes);
    expect(live.setNeedsReset()).toBe(true);
    expect(live.setNeedsReset()).toBe(false);
    expect(live.live).toBe(false);
    expect(live.write(15, yes)).toBe('accepted');
    expect(statusNames(live.value)).toBe('ACKNOWLEDGE DRIVER FEATURES_OK DRIVER_OK DEVICE_NEEDS_RESET');
  });

  it('never has DRIVER_OK without everything before it, whatever is written', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(0x1ff), fc.boolean())), (writes) => {
        const status = new StatusMachine();
        for (const [value, acceptable] of writes) {
          const before = status.value;
          const answer = status.write(value, () => acceptable);
          if (answer !== 'accepted' && answer !== 'reset' && answer !== 'features-refused') {
            expect(status.value).toBe(before);
          }
          if ((status.value & 4) !== 0) expect(status.value & 15).toBe(15);
          if ((status.value & 8) !== 0 && (before & 8) === 0) expect(acceptable).toBe(true);
        }
      }),
    );
  });
});
