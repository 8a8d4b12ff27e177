import { hex, testFrame } from '@vhostlab/datapath/test-kit';
import { describe, expect, it } from 'vitest';
import { PACKED, runRigReal, SPLIT } from './rig.ts';

const LENGTHS = [60, 1514, 61, 590, 128, 17];
const OUTPUTS = [
  { from: 10, to: [11] },
  { from: 11, to: [10] },
];

function frames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => hex(testFrame(i, LENGTHS[i % LENGTHS.length])));
}

describe.each(['split', 'packed'] as const)('the PMD core on the real clock, %s ring', (format) => {
  const base = format === 'packed' ? PACKED : SPLIT;

  describe.each(['single', 'chained', 'cut-header', 'indirect'] as const)('%s buffers', (shape) => {
    it.each([
      { interrupts: false, features: base },
      { interrupts: true, features: base },
      { interrupts: true, features: [...base, 'IN_ORDER', 'MRG_RXBUF'] },
    ])('go from guest to guest, byte for byte: %o', ({ interrupts, features }) => {
      const send = { frames: 150, lengths: LENGTHS, startPs: 1e8, gapPs: 50_000, shape, faults: [] };
      const receive = { bufferBytes: features.includes('MRG_RXBUF') ? 512 : 2048, segments: 1, unmapped: [] };
      const guest = { format, features, interrupts, size: 256, send, receive };
      const outcome = runRigReal({ guests: [guest, guest], outputs: OUTPUTS });
      for (const { received, refused } of outcome.guests) {
        expect(refused).toEqual([]);
        expect(received.map(({ bytes }) => bytes)).toEqual(frames(150));
      }
      expect(outcome.drops()).toEqual({});
      expect(outcome.total('upcalls')).toBe(2);
      expect(outcome.core('host.pmd0').ops['vhost.copy'].count).toBe(2 * 300);
      if (interrupts) expect(outcome.total('called')).toBeGreaterThan(0);
    });
  });

  it('goes to the wire and comes from it', () => {
    const send = {
      frames: 200,
      lengths: LENGTHS,
      startPs: 1e8,
      gapPs: 50_000,
      shape: 'single' as const,
      faults: [],
    };
    const outcome = runRigReal({
      guests: [{ format, features: base, send }],
      nic: { frames: 200, lengths: LENGTHS, gapPs: 400_000 },
    });
    expect(outcome.nic.sent.map(({ bytes }) => bytes)).toEqual(frames(200));
    expect(outcome.guests[0].received.map(({ bytes }) => bytes)).toEqual(frames(200));
    expect(outcome.drops()).toEqual({});
  });
});

it('on the real clock, a ring that makes no sense breaks, and what came before it arrives', () => {
  const send = {
    frames: 100,
    lengths: [60],
    startPs: 1e8,
    gapPs: 50_000,
    shape: 'single' as const,
    faults: [{ packet: 3, kind: 'unmapped' as const }],
  };
  const outcome = runRigReal({
    guests: [{ send, breaksRing: true }, { send }],
    outputs: OUTPUTS,
  });
  expect(outcome.guests.map(({ received }) => received.length)).toEqual([99, 99]);
  expect(outcome.drops()).toEqual({ unmapped: 2 });
  const { counters } = outcome.core('host.pmd0');
  expect(Object.keys(counters).filter((name) => name.startsWith('violation.'))).toHaveLength(1);
});
