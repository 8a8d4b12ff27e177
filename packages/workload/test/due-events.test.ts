import { describe, expect, it } from 'vitest';
import { DueEvents, eventsOf, eventText, type ScenarioEvent } from '../src/index.ts';

const events: ScenarioEvent[] = [
  { kind: 'link', atPs: 3000, link: 'wire', loss: 0.01 },
  { kind: 'link', atPs: 1000, link: 'wire', rateBps: 1e9 },
  { kind: 'link', atPs: 3000, link: 'wire', loss: 0 },
];

function core() {
  const results = new Map<string, () => unknown>();
  return {
    constant: () => 20,
    onCollect: (name: string, collect: () => unknown) => void results.set(name, collect),
    results,
  };
}

describe('events of a core', () => {
  it('are taken once each, at their moments after the start of traffic, in order', () => {
    const context = core();
    const due = new DueEvents(context, 'link', eventsOf({ events }, 'link'));
    expect(due.nextPs).toBe(21_000);
    expect(due.take(20_999)).toBeUndefined();
    expect(due.take(21_000)?.rateBps).toBe(1e9);
    expect(due.take(21_000)).toBeUndefined();
    expect(context.results.get('events.link')?.()).toEqual([1]);
    expect([due.take(30_000)?.loss, due.take(30_000)?.loss, due.take(30_000)]).toEqual([0.01, 0, undefined]);
    expect(due.nextPs).toBe(Number.POSITIVE_INFINITY);
    expect(context.results.get('events.link')?.()).toEqual([1, 0, 2]);
  });

  it('leave a core without events as it was', () => {
    const context = core();
    expect(new DueEvents(context, 'link', eventsOf({}, 'link')).take(1e15)).toBeUndefined();
    expect(context.results.size).toBe(0);
  });

  it('say in words what they do', () => {
    expect(
      eventText({ kind: 'link', atPs: 0, link: 'wire', delayPs: 1_500_000, corrupt: 0.001, rateBps: 0 }),
    ).toBe('link wire: delay 1.5 us, corrupt 0.1 %, rate line');
  });
});
