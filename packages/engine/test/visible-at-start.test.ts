import { createArena } from '@vhostlab/memory';
import { describe, expect, it } from 'vitest';
import {
  type CoreContext,
  type CoreModule,
  DONE,
  emptyFrameMeta,
  IDLE,
  type RunPlan,
  VirtualRuntime,
} from '../src/index.ts';
import { testProfile } from './ping.ts';

/** As a DMA engine does: says in one run what becomes visible at which moments. */
const sender: CoreModule = {
  create(context: CoreContext): void {
    const base = context.window('shared');
    const meta = emptyFrameMeta();
    let sent = false;
    context.addTask({
      name: 'send',
      run: () => {
        if (sent) return IDLE;
        sent = true;
        const ring = context.memory('ring');
        const link = context.link('wire');
        for (let n = 1; n <= 4; n++) {
          // 4 ns apart, while waking up takes the reader 10 ns
          ring.departAt(n * 4_000);
          ring.publisher.u16(base, n);
          if (n === 1) ring.notify(0);
          link.send(base, 60, meta, n * 4_000);
        }
        ring.departAt(0);
        return DONE;
      },
    });
  },
};

const reader: CoreModule = {
  create(context: CoreContext): void {
    const base = context.window('shared');
    const seen: { word: number; frames: number; startPs: number }[] = [];
    context.onCollect('seen', () => seen);
    context.link('wire').listens = false;
    context.addTask({
      name: 'read',
      run: () => {
        const link = context.link('wire');
        const startPs = context.now();
        if (context.memory('ring').takeNotified() === 0) return IDLE;
        // time passes inside the run, too
        context.meter.charge(context.op('vhost.fetch'), 1, 0);
        let frames = 0;
        while (link.receive()) {
          link.release();
          frames++;
        }
        seen.push({ word: context.arena.u16[base >> 1], frames, startPs });
        return DONE;
      },
    });
  },
};

const plan: RunPlan = {
  seed: 1,
  copyMode: false,
  accountFromPs: 0,
  sampling: { stride: 0 },
  windows: [{ id: 'shared', owner: 'nic', bytes: 4096 }],
  cores: [
    { id: 'a', service: 'nic', module: 'sender', config: {}, mode: 'hardware', account: 'none' },
    {
      id: 'b',
      service: 'backend',
      module: 'reader',
      config: {},
      mode: 'wait',
      account: 'host',
      wakeOp: 'vhost.wakeup',
    },
  ],
  channels: [
    {
      id: 'ring',
      kind: 'memory',
      a: { core: 'a', end: 'ring' },
      b: { core: 'b', end: 'ring' },
      latencyPs: { ab: 100_000, ba: 100_000 },
      window: 'shared',
      queueSizes: [4],
    },
    {
      id: 'wire',
      kind: 'link',
      a: { core: 'a', end: 'wire' },
      b: { core: 'b', end: 'wire' },
      latencyPs: { ab: 100_000, ba: 100_000 },
      capacity: 8,
      bufferBytes: 4096,
    },
  ],
};

describe('a run', () => {
  it('sees what was visible when it began, not what comes while it wakes up and works', () => {
    const runtime = new VirtualRuntime({
      plan,
      services: ['nic', 'backend'],
      modules: new Map([
        ['sender', sender],
        ['reader', reader],
      ]),
      arena: createArena(1 << 20),
      profile: testProfile,
    });
    while (runtime.runUntil(Number.POSITIVE_INFINITY));
    const { results } = runtime.statistics().find(({ id }) => id === 'b')!;
    expect(results.seen).toEqual([{ word: 1, frames: 1, startPs: 104_000 + 10_000 }]);
  });
});
