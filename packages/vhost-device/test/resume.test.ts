import { Arena } from '@vhostlab/memory';
import type { RingBase } from '@vhostlab/vhost-user';
import { expect, it } from 'vitest';
import type { RingStart } from '../src/control/commands.ts';
import { resumedBase } from '../src/rings/resume.ts';

const DEVICE_AREA = 1024;

function start(base: RingBase): RingStart {
  const areas = { descriptor: 0, driver: 512, device: DEVICE_AREA };
  return {
    index: 1,
    size: 8,
    format: base.format,
    areas,
    base,
    enabled: true,
    kick: -1,
    call: -1,
    err: -1,
    usedLogGpa: null,
  };
}

/** An arena whose used area begins with the given index, flags and the first entry around it set to something else. */
function arenaWithUsedIndex(index: number): Arena {
  const arena = new Arena(new ArrayBuffer(4096));
  arena.u16.set([1, index, 0xffff], DEVICE_AREA >> 1);
  return arena;
}

it('a split ring goes on at its used index, whatever base the front end gave', () => {
  for (const [base, used] of [
    [0, 9001],
    [9001, 9001],
    [9003, 9001],
    [5, 65_535],
    [0, 0],
  ] as const) {
    expect(resumedBase(start({ format: 'split', lastAvail: base }), arenaWithUsedIndex(used))).toEqual({
      format: 'split',
      lastAvail: used,
    });
  }
});

it('a packed ring goes on where the front end says: its memory holds no index', () => {
  const base = { format: 'packed', avail: 3, availWrap: false, used: 2, usedWrap: true } as const;
  expect(resumedBase(start(base), arenaWithUsedIndex(7))).toBe(base);
});
