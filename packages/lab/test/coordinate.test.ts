import type { ChannelPlan, RunPlan } from '@vhostlab/engine';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { coordinate, type ProcessHandle } from '../src/run/coordinate.ts';

const plan: RunPlan = {
  seed: 1,
  windows: [],
  cores: ['busy', 'idle'].map((service) => ({
    id: service,
    service,
    module: 'none',
    config: {},
    mode: 'wait',
    account: 'host',
  })),
  channels: [
    {
      id: 'between',
      kind: 'control',
      a: { core: 'busy', end: 'x' },
      b: { core: 'idle', end: 'x' },
      latencyPs: { ab: 1000, ba: 1000 },
    } satisfies ChannelPlan,
  ],
  sampling: { stride: 0 },
  accountFromPs: 0,
  copyMode: false,
};

type Sent = Parameters<ReturnType<ProcessHandle['runtime']['run']>['send']>[0];

/** A process without cores: answers every grant with the next moment of `events`, and remembers the grants. */
function pretend(name: string, events: number[], sends: (window: number) => number = () => 0) {
  const grants: number[] = [];
  let batches = 0;
  let over = false;
  const report = (window: number) => ({
    report: {
      window: BigInt(window),
      state: 1,
      ...(events.length === 0 ? {} : { nextEventPs: BigInt(events[0]) }),
      outbound: batches === 0 ? [] : [{ channel: 0, batches: BigInt(batches) }],
      ...(batches === 0 ? {} : { earliestOutboundPs: BigInt(grants.at(-1) ?? 0) }),
      packetsDone: 0n,
      nowPs: 0n,
      taskRuns: BigInt(grants.length),
      workNs: 0n,
      blockedNs: 0n,
      fault: '',
    },
  });
  const stream = {
    send: async ({ command }: Sent) => {
      if (command?.case !== 'grant') {
        over = true;
        return;
      }
      const until = Number(command.value.untilPs);
      grants.push(until);
      while (events.length > 0 && events[0] < until) events.shift();
      batches += sends(grants.length);
    },
    receive: async () => (over ? undefined : report(grants.length)),
    closeSend: () => undefined,
    cancel: () => undefined,
  };
  const handle = { name, services: [name], runtime: { run: () => stream } } as unknown as ProcessHandle;
  return { handle, grants };
}

/** Moments further apart than a window is long. */
const moments = (count: number): number[] => Array.from({ length: count }, (_, n) => n * 10_000);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('rounds', () => {
  it('ask a process that has nothing to do in every 16th of them', async () => {
    const busy = pretend('busy', moments(40));
    const idle = pretend('idle', []);
    let told = 0;
    const onProgress = () => {
      told++;
    };
    const meter = await coordinate(plan, [busy.handle, idle.handle], { onProgress });
    expect(busy.grants).toHaveLength(40);
    expect(idle.grants).toHaveLength(2);
    expect(told).toBe(2);
    const measured = meter.measurement('x', [], new Map());
    expect([measured.rounds, measured.windows, measured.rounds_empty]).toEqual([40, 42, 40]);
  });

  it('ask it in each of them when they are slow', async () => {
    const busy = pretend('busy', moments(10), () => {
      vi.advanceTimersByTime(300);
      return 0;
    });
    const idle = pretend('idle', []);
    await coordinate(plan, [busy.handle, idle.handle]);
    expect(busy.grants).toHaveLength(10);
    expect(idle.grants).toHaveLength(9);
  });

  it('ask it at once when something was sent to it', async () => {
    const busy = pretend('busy', moments(10), (window) => (window === 3 ? 1 : 0));
    const idle = pretend('idle', []);
    await coordinate(plan, [busy.handle, idle.handle]);
    expect(busy.grants).toHaveLength(10);
    expect(idle.grants).toHaveLength(1);
  });
});
