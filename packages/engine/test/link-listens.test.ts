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

const FRAMES = 5;
const LISTENS_AGAIN_PS = 50_000_000;

const sender: CoreModule = {
  create(context: CoreContext): void {
    const meta = emptyFrameMeta();
    const at = context.arena.alloc(64);
    let sent = 0;
    context.addTask({
      name: 'send',
      run: () => {
        if (sent === FRAMES) return IDLE;
        meta.packet = sent++;
        context.link('wire').send(at, 60, meta, sent * 1_000_000);
        return DONE;
      },
    });
  },
};

/** Does not listen before LISTENS_AGAIN_PS. */
const reader: CoreModule = {
  create(context: CoreContext): void {
    const link = context.link('wire');
    const seen: { packet: number; atPs: number }[] = [];
    const woken: number[] = [];
    context.onCollect('seen', () => seen);
    context.onCollect('woken', () => woken);
    link.listens = false;
    context.addTask({
      name: 'read',
      run: () => {
        woken.push(context.now());
        if (context.now() < LISTENS_AGAIN_PS) {
          context.wakeAt(LISTENS_AGAIN_PS);
          return IDLE;
        }
        link.listens = true;
        if (!link.receive()) return IDLE;
        seen.push({ packet: link.meta.packet, atPs: context.now() });
        link.release();
        return DONE;
      },
    });
  },
};

describe('a link end that does not listen', () => {
  it('lets its core sleep over frames, which are there when it listens again', () => {
    const core = (id: string, module: string) => ({
      id,
      service: 'all',
      module,
      config: {},
      mode: 'wait' as const,
      account: 'none' as const,
    });
    const plan: RunPlan = {
      seed: 1,
      copyMode: false,
      accountFromPs: 0,
      sampling: { stride: 0 },
      windows: [],
      cores: [core('a', 'sender'), core('b', 'reader')],
      channels: [
        {
          id: 'wire',
          kind: 'link',
          a: { core: 'a', end: 'wire' },
          b: { core: 'b', end: 'wire' },
          latencyPs: { ab: 1000, ba: 1000 },
          capacity: 16,
        },
      ],
    };
    const runtime = new VirtualRuntime({
      plan,
      services: ['all'],
      modules: new Map([
        ['sender', sender],
        ['reader', reader],
      ]),
      arena: createArena(1 << 20),
      profile: testProfile,
    });
    runtime.runUntil(1e9);
    const { results } = runtime.statistics()[1];
    expect(results.seen).toEqual(
      Array.from({ length: FRAMES }, (_, packet) => ({ packet, atPs: LISTENS_AGAIN_PS })),
    );
    expect((results.woken as number[]).filter((at) => at > 0 && at < LISTENS_AGAIN_PS)).toEqual([]);
  });
});
