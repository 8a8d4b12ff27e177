import type { CoreContext } from '@vhostlab/engine';
import { createArena } from '@vhostlab/memory';
import { expect, it } from 'vitest';
import type { NicConstants } from '../src/constants.ts';
import type { DmaEngine } from '../src/dma/dma.ts';
import { Nic } from '../src/nic.ts';

function nicAt(clock: { ps: number }): Nic {
  const context = {
    arena: createArena(4096),
    now: () => clock.ps,
    op: () => 0,
    stage: () => 0,
  } as unknown as CoreContext;
  return new Nic(context, {} as NicConstants, {} as DmaEngine, context.arena);
}

it('calls nothing of a part that is gone, and gives its number to another when its timers are over', () => {
  const clock = { ps: 0 };
  const nic = nicAt(clock);
  const calls: string[] = [];
  const part = (name: string): number =>
    nic.register({ due: (kind, nowPs) => calls.push(`${name} ${kind} at ${nowPs}`) });
  const first = part('first');
  nic.later(10, first, 1);
  nic.later(20, first, 2);
  nic.release(first);
  nic.release(first);
  const second = part('second');
  expect(second).not.toBe(first);
  nic.later(15, second, 3);
  clock.ps = 15;
  expect(nic.advance(10)).toBe(false);
  expect(part('third')).not.toBe(first);
  clock.ps = 20;
  nic.advance(10);
  const fourth = part('fourth');
  expect(fourth).toBe(first);
  nic.later(25, fourth, 4);
  clock.ps = 30;
  nic.advance(10);
  expect(calls).toEqual(['second 3 at 15', 'fourth 4 at 30']);
});

it('does not grow with parts that come and go', () => {
  const clock = { ps: 0 };
  const nic = nicAt(clock);
  const numbers = new Set<number>();
  for (let i = 0; i < 1000; i++) {
    const number = nic.register({ due: () => undefined });
    numbers.add(number);
    nic.later(clock.ps + 5, number, 0);
    nic.release(number);
    clock.ps += 10;
    nic.advance(10);
  }
  expect(numbers.size).toBe(1);
});
