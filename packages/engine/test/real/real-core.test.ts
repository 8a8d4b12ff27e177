import { describe, expect, it } from 'vitest';
import { BARRIER, DONE, HOLD, IDLE, type Procedure } from '../../src/index.ts';
import { channel, HandClock, scripted, task } from './threads.ts';

describe('a core on the real clock', () => {
  it('gives its tasks turns, and runs the same one again after a barrier', () => {
    const runs: string[] = [];
    const thread = scripted({
      a: {
        mode: 'poll',
        script: (context) => {
          let step = 0;
          task(context, () => {
            runs.push(`first ${++step}`);
            return step === 1 ? BARRIER : step === 2 ? DONE : IDLE;
          });
          task(context, () => {
            runs.push('second');
            return IDLE;
          });
        },
      },
    });
    for (let turn = 0; turn < 5; turn++) expect(thread.turn()).toBe(true);
    expect(runs).toEqual(['first 1', 'first 2', 'second', 'first 3', 'second']);
    expect(thread.statistics()[0]).toMatchObject({ runs: 5, usefulRuns: 2, mode: 'poll' });
  });

  it('sleeps in wait mode once all of its tasks were idle in a row, until it is notified', () => {
    const seen: number[] = [];
    const ends = channel('memory', 'm', 'a', 'b').slice(0, 1);
    const script = (context: Parameters<typeof task>[0]) => {
      task(context, () => {
        seen.push(context.memory('m').takeNotified());
        return IDLE;
      });
      task(context, () => IDLE);
    };
    const thread = scripted({ a: { script } }, ends);
    expect([thread.turn(), thread.turn(), thread.turn()]).toEqual([true, false, false]);
    thread.notified('m', 1);
    thread.notified('m', 3);
    expect([thread.turn(), thread.turn(), thread.turn()]).toEqual([true, false, false]);
    expect(seen).toEqual([0, 0b1010]);
    expect(() => thread.notified('x', 0)).toThrow(/memory channel x has no other side/);
  });

  it('stores words at once, and tells the far side of a channel of its notifications', () => {
    const told: string[] = [];
    let visible = 0;
    const thread = scripted(
      {
        a: {
          script: (context) =>
            task(context, () => {
              const end = context.memory('m');
              end.publisher.u32(context.window('w') + 8, 77);
              visible = context.arena.u32[(context.window('w') + 8) >> 2];
              end.setTag(0, 0, 5, 6);
              told.push(`tag ${end.tagPacket(0, 0)} ${end.tagBornPs(0, 0)}`);
              end.notify(4);
              return IDLE;
            }),
        },
      },
      channel('memory', 'm', 'a', 'b').slice(0, 1),
      { notify: (id, vector) => told.push(`${id} ${vector}`) },
    );
    thread.turn();
    expect(visible).toBe(77);
    expect(told).toEqual(['tag -1 0', 'm 4']);
  });

  it('sleeps up to the moment that a task asked for', () => {
    const clock = new HandClock();
    const moments: number[] = [];
    const thread = scripted(
      {
        a: {
          script: (context) =>
            task(context, () => {
              moments.push(context.now());
              if (moments.length === 1) context.wakeAt(5_000);
              return IDLE;
            }),
        },
      },
      [],
      { readPs: clock.read },
    );
    const slept: number[] = [];
    thread.run(
      () => slept.length === 3,
      (untilPs) => {
        slept.push(untilPs);
        clock.ps += 3_000;
      },
    );
    expect(slept).toEqual([5_000, 5_000, Number.POSITIVE_INFINITY]);
    expect(moments).toEqual([0, 6_000]);
  });

  it('reads the clock once in a run that asks, and never in one that does not', () => {
    const clock = new HandClock();
    let asks = false;
    const thread = scripted(
      {
        a: {
          mode: 'poll',
          script: (context) =>
            task(context, () => {
              if (!asks) return IDLE;
              clock.ps += 10;
              expect(context.now()).toBe(context.now());
              return DONE;
            }),
        },
      },
      [],
      { readPs: clock.read },
    );
    const before = clock.reads;
    for (let turn = 0; turn < 10; turn++) thread.turn();
    expect(clock.reads).toBe(before);
    asks = true;
    thread.turn();
    expect(clock.reads).toBe(before + 1);
  });

  it('does nothing else while it holds, but takes what arrives', () => {
    const runs: string[] = [];
    const thread = scripted(
      {
        a: {
          script: (context) => {
            let ticket = context.delay(0);
            let asked = false;
            task(context, () => {
              if (asked) {
                runs.push(`read ${ticket.value}`);
                return IDLE;
              }
              asked = true;
              ticket = context.memory('m').read(8, 4);
              context.holdOn(ticket);
              return HOLD;
            });
            task(context, () => {
              runs.push('other');
              return IDLE;
            });
          },
        },
        b: {
          script: (context) => {
            let ready = 0;
            context
              .memory('m')
              .onRegister({ readRegister: (at) => at + ready, writeRegister: () => undefined });
            task(context, () => {
              ready++;
              return IDLE;
            });
          },
        },
      },
      channel('memory', 'm', 'a', 'b'),
    );
    for (let turn = 0; turn < 6; turn++) thread.turn();
    expect(runs).toEqual(['read 8', 'other']);
    expect(thread.turn()).toBe(false);
  });

  it('holds for a moment, too, and says when a hold has no ticket', () => {
    const clock = new HandClock();
    const moments: number[] = [];
    const thread = scripted(
      {
        a: {
          script: (context) =>
            task(context, () => {
              moments.push(context.now());
              if (moments.length > 1) return IDLE;
              context.holdOn(context.delay(100));
              return HOLD;
            }),
        },
      },
      [],
      { readPs: clock.read },
    );
    for (const step of [0, 60, 60]) {
      clock.ps += step;
      thread.turn();
    }
    expect(moments).toEqual([0, 120]);
    const wrong = scripted({ a: { script: (context) => task(context, () => HOLD) } });
    expect(() => wrong.turn()).toThrow(/core a: HOLD without a ticket/);
  });

  it('runs procedures that wait for moments and answers', () => {
    const clock = new HandClock();
    const log: string[] = [];
    const thread = scripted(
      {
        a: {
          script: (context) => {
            function* start(): Procedure {
              yield context.delay(5_000);
              log.push(`delayed until ${context.now()}`);
              const answer = yield context.control('c').request(4, Uint8Array.of(1, 2));
              log.push(`status ${answer.value}, ${answer.bytes.length} bytes`);
            }
            context.spawn('start', start());
          },
        },
        b: {
          script: (context) =>
            context
              .control('c')
              .onRequest((method, body, reply) => reply(method, new Uint8Array(body.length + 1))),
        },
      },
      channel('control', 'c', 'a', 'b'),
      { readPs: clock.read },
    );
    thread.run(
      () => log.length === 2,
      (untilPs) => {
        expect(untilPs).toBe(5_000);
        clock.ps += 5_000;
      },
    );
    expect(log).toEqual(['delayed until 5000', 'status 4, 3 bytes']);
    expect(thread.turn()).toBe(false);
  });

  it('counts operations without taking time', () => {
    const thread = scripted({
      a: {
        script: (context) => {
          const op = context.op('vhost.copy');
          task(context, () => {
            context.meter.charge(op, 3, 180);
            context.meter.book(op, 1, 60, 999);
            context.counter('drop.test').value += 2;
            return IDLE;
          });
        },
      },
    });
    thread.turn();
    const [{ ops, counters }] = thread.statistics();
    expect(ops).toEqual({ 'vhost.copy': { count: 4, bytes: 240 } });
    expect(counters).toEqual({ 'drop.test': 2 });
    expect(thread.core('a').constant('test.answer')).toBe(42);
  });
});
