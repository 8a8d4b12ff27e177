import { createArena } from '@vhostlab/memory';
import { describe, expect, it } from 'vitest';
import {
  BARRIER,
  type CoreContext,
  type CorePlan,
  DONE,
  HOLD,
  IDLE,
  type Procedure,
  type RunPlan,
  type TaskResult,
  VirtualRuntime,
} from '../src/index.ts';
import { testProfile } from './ping.ts';

/** Costs of the test profile: every operation takes 10 ns. */
const OP_PS = 10_000;

type Script = (context: CoreContext) => void;

/** Runs cores made of scripts; channels join core `a` to core `b`. */
function run(
  scripts: Record<string, { mode: CorePlan['mode']; wakeOp?: string; script: Script }>,
  latencyPs = 100_000,
) {
  const ids = Object.keys(scripts);
  const plan: RunPlan = {
    seed: 7,
    copyMode: false,
    accountFromPs: 0,
    sampling: { stride: 0 },
    windows: [{ id: 'w', owner: 's', bytes: 4096 }],
    cores: ids.map((id) => ({
      id,
      service: 's',
      module: id,
      config: {},
      mode: scripts[id].mode,
      account: 'host',
      ...(scripts[id].wakeOp === undefined ? {} : { wakeOp: scripts[id].wakeOp }),
    })),
    channels:
      ids.length < 2
        ? []
        : [
            {
              id: 'm',
              kind: 'memory',
              a: { core: 'a', end: 'm' },
              b: { core: 'b', end: 'm' },
              latencyPs: { ab: latencyPs, ba: latencyPs },
              window: 'w',
              queueSizes: [4],
            },
            {
              id: 'c',
              kind: 'control',
              a: { core: 'a', end: 'c' },
              b: { core: 'b', end: 'c' },
              latencyPs: { ab: latencyPs, ba: latencyPs },
            },
          ],
  };
  const runtime = new VirtualRuntime({
    plan,
    services: ['s'],
    modules: new Map(ids.map((id) => [id, { create: (context) => scripts[id].script(context) }])),
    arena: createArena(1 << 20),
    profile: testProfile,
  });
  expect(runtime.runUntil(Number.POSITIVE_INFINITY, 200_000)).toBe(false);
  return runtime.statistics();
}

/** A task of one function. */
function task(context: CoreContext, body: () => TaskResult): void {
  context.addTask({ name: 'task', run: body });
}

describe('a core in virtual time', () => {
  it('sees a published word one latency after the moment of its publication, and a poller on its next boundary', () => {
    const seen: number[] = [];
    run({
      a: {
        mode: 'wait',
        script: (context) => {
          let step = 0;
          task(context, () => {
            if (step++ > 0) return IDLE;
            context.meter.charge(context.op('guest.app_tx'), 3, 0);
            context.memory('m').publisher.u16(context.window('w'), 9);
            return DONE;
          });
        },
      },
      b: {
        mode: 'poll',
        script: (context) => {
          task(context, () => {
            context.meter.charge(context.op('vhost.poll_empty'), 1, 0);
            if (context.arena.u16[context.window('w') >> 1] === 9 && seen.length === 0) {
              seen.push(context.now() - OP_PS);
              return DONE;
            }
            return IDLE;
          });
        },
      },
    });
    // published at 30 ns, visible at 130 ns, which is a boundary of 10 ns polls
    expect(seen).toEqual([130_000]);
  });

  it('ends a run at a barrier: what follows comes no earlier than everybody sees what was published', () => {
    const moments: number[] = [];
    run({
      a: {
        mode: 'wait',
        script: (context) => {
          let step = 0;
          task(context, () => {
            moments.push(context.now());
            step++;
            if (step === 1) {
              context.memory('m').publisher.u16(context.window('w'), 1);
              return BARRIER;
            }
            return IDLE;
          });
        },
      },
      b: { mode: 'wait', script: (context) => task(context, () => IDLE) },
    });
    expect(moments).toEqual([0, 100_000]);
  });

  it('lets both sides of a publish-and-check meet: without the barrier both would sleep', () => {
    for (const barrier of [true, false]) {
      const woken = { a: 0, b: 0 };
      const side = (name: 'a' | 'b', own: number, other: number): Script => {
        return (context) => {
          const end = context.memory('m');
          let step = 0;
          task(context, () => {
            if (end.takeNotified() !== 0) woken[name]++;
            step++;
            if (step === 1) {
              end.publisher.u16(context.window('w') + own, 1);
              if (barrier) return BARRIER;
              step++;
            }
            if (step === 2) {
              if (context.arena.u16[(context.window('w') + other) >> 1] === 1) end.notify(0);
              return DONE;
            }
            return IDLE;
          });
        };
      };
      run({ a: { mode: 'wait', script: side('a', 0, 2) }, b: { mode: 'wait', script: side('b', 2, 0) } });
      expect(woken.a + woken.b > 0, barrier ? 'with barrier' : 'without').toBe(barrier);
    }
  });

  it('does nothing else while it holds for a register read, and goes on one round trip later', () => {
    const moments: string[] = [];
    run({
      a: {
        mode: 'poll',
        script: (context) => {
          let asked = false;
          let ticket: ReturnType<ReturnType<CoreContext['memory']>['read']> | undefined;
          task(context, () => {
            if (ticket?.done) {
              moments.push(`read ${ticket.value} at ${context.now()}`);
              ticket = undefined;
              return DONE;
            }
            if (asked) {
              context.meter.charge(context.op('guest.poll_empty'), 1, 0);
              return IDLE;
            }
            asked = true;
            ticket = context.memory('m').read(8, 4);
            context.holdOn(ticket);
            return HOLD;
          });
          task(context, () => {
            if (moments.length === 0 && asked) moments.push('ran during the hold');
            context.meter.charge(context.op('guest.poll_empty'), 1, 0);
            return IDLE;
          });
        },
      },
      b: {
        mode: 'hardware',
        script: (context) => {
          context
            .memory('m')
            .onRegister({ readRegister: (offset) => offset + 1, writeRegister: () => undefined });
          task(context, () => IDLE);
        },
      },
    });
    expect(moments).toEqual(['read 9 at 200000']);
  });

  it('charges the wake-up of a parked core, once per sleep', () => {
    const [, b] = run({
      a: {
        mode: 'wait',
        script: (context) => {
          let left = 3;
          task(context, () => {
            if (left === 0) return IDLE;
            left--;
            context.memory('m').notify(1);
            context.meter.charge(context.op('guest.app_tx'), 100, 0);
            return DONE;
          });
        },
      },
      b: {
        mode: 'wait',
        wakeOp: 'vhost.wakeup',
        script: (context) => task(context, () => (context.memory('m').takeNotified() ? DONE : IDLE)),
      },
    });
    expect(b.ops['vhost.wakeup'].count).toBe(3);
    expect(b.busyPs).toBe(3 * OP_PS);
  });

  it('runs procedures that wait for delays and requests, in virtual time', () => {
    const log: string[] = [];
    run({
      a: {
        mode: 'wait',
        script: (context) => {
          function* start(): Procedure {
            yield context.delay(5_000_000);
            log.push(`delayed until ${context.now()}`);
            const answer = yield context.control('c').request(4, Uint8Array.of(1, 2));
            log.push(`status ${answer.value}, ${answer.bytes.length} bytes at ${context.now()}`);
          }
          context.spawn('start', start());
        },
      },
      b: {
        mode: 'wait',
        script: (context) => {
          context
            .control('c')
            .onRequest((method, body, reply) => reply(method, new Uint8Array(body.length + 1)));
          task(context, () => IDLE);
        },
      },
    });
    expect(log).toEqual(['delayed until 5000000', 'status 4, 3 bytes at 5200000']);
  });

  it('refuses to spin without taking time', () => {
    const spin = () => run({ a: { mode: 'wait', script: (context) => task(context, () => DONE) } });
    expect(spin).toThrow(/core a: 100000 runs in a row took no time/);
  });

  it('names what a module asks for and does not exist', () => {
    const ask = (script: Script) => () => run({ a: { mode: 'wait', script } });
    expect(ask((context) => void context.constant('nope'))).toThrow(/no constant nope/);
    expect(ask((context) => void context.op('nope'))).toThrow(/no operation named nope/);
    expect(ask((context) => void context.link('nope'))).toThrow(/no channel end named nope/);
    expect(ask((context) => void context.window('nope'))).toThrow(/no memory window named nope/);
  });

  it('gives random numbers that depend on seed, core and name only', () => {
    const draw = (): number[] => {
      const numbers: number[] = [];
      run({
        a: {
          mode: 'wait',
          script: (context) => {
            const x = context.random('x');
            const y = context.random('y');
            numbers.push(x(), y(), x());
            task(context, () => IDLE);
          },
        },
      });
      return numbers;
    };
    const first = draw();
    expect(draw()).toEqual(first);
    expect(new Set(first).size).toBe(3);
  });
});
