import { createArena } from '@vhostlab/memory';
import { describe, expect, it } from 'vitest';
import { DONE, EdgeLinkEnd, emptyFrameMeta, type FramePort, IDLE } from '../../src/index.ts';
import { modules, pingPlan } from '../ping.ts';
import { channel, corePlan, scripted, task, threadOf } from './threads.ts';

describe('a thread of cores', () => {
  it.each(['poll', 'wait'] as const)(
    'runs components of the virtual clock unchanged, worker in %s',
    (mode) => {
      const total = 1000;
      const { windows, cores } = pingPlan(total, mode, false);
      const thread = threadOf(
        {
          windows,
          cores,
          ends: [
            ...channel('memory', 'ring', 'guest', 'worker', { window: 'guest', queueSizes: [8] }),
            ...channel('link', 'wire', 'worker', 'sink', { capacity: 4, bufferBytes: 4096 }),
          ],
        },
        modules,
      );
      const received = (): number[] => thread.core('sink').statistics().results.received as number[];
      for (let turns = 0; received().length < total; turns++) {
        expect(turns).toBeLessThan(20 * total);
        thread.turn();
      }
      // its packet number is lost with the side band: -1
      expect(received()).toEqual(Array.from({ length: total }, (_, i) => i * 7 - 1));
    },
  );

  it('answers a request of the caller, and throws when nobody does', () => {
    const [end] = channel('control', 'c', 'a', 'outside');
    const thread = scripted(
      {
        a: {
          script: (context) =>
            context.control('c').onRequest((method, body, reply) => {
              if (method === 1) reply(5, Uint8Array.of(body[0] + 1));
            }),
        },
      },
      [end],
    );
    const answer = thread.settle(thread.control('c').request(1, Uint8Array.of(41)));
    expect([answer.value, ...answer.bytes]).toEqual([5, 42]);
    const open = thread.control('c').request(2, new Uint8Array(0));
    expect(() => thread.settle(open, 10)).toThrow(/no answer within 10 turns/);
  });

  it('joins a link to a port at the edge', () => {
    const arena = createArena(1 << 20);
    const sent: number[] = [];
    const listening: boolean[] = [];
    const waiting = [11, 12, 13];
    const port: FramePort = {
      receive(offset, roomBytes, meta) {
        const frame = waiting.shift();
        if (frame === undefined) return 0;
        expect(roomBytes).toBe(128);
        expect(meta).toEqual(emptyFrameMeta());
        arena.u8[offset] = frame;
        meta.flags = frame;
        return 60;
      },
      send(offset, length) {
        sent.push(arena.u8[offset], length);
        return sent.length < 6;
      },
      listen: (on) => listening.push(on),
    };
    const results: unknown[] = [];
    const [end] = channel('link', 'tap', 'a', 'outside');
    const thread = scripted(
      {
        a: {
          script: (context) =>
            task(context, () => {
              const link = context.link('tap');
              const from = results.length;
              while (link.receive()) {
                expect(link.receive()).toBe(true);
                link.release();
                results.push(context.arena.u8[link.offset], link.meta.flags);
                results.push(link.send(link.offset, link.length, link.meta, 0));
              }
              link.listens = waiting.length > 0;
              return results.length > from ? DONE : IDLE;
            }),
        },
      },
      [end],
      { arena, link: () => new EdgeLinkEnd(arena, port, 4, 100) },
    );
    expect([thread.turn(), thread.turn()]).toEqual([true, false]);
    expect(results).toEqual([11, 11, true, 12, 12, true, 13, 13, false]);
    expect(sent).toEqual([11, 60, 12, 60, 13, 60]);
    waiting.push(14);
    expect(thread.turn()).toBe(false);
    thread.arrived('tap');
    expect(thread.turn()).toBe(true);
    expect(results.slice(9)).toEqual([14, 14, false]);
    expect(listening).toEqual([false]);
  });

  it('names what does not fit together', () => {
    const none = new Map();
    const component = (ends: ReturnType<typeof channel>) => ({ cores: [corePlan('a')], windows: [], ends });
    const empty = new Map([['a', { create: () => undefined }]]);
    expect(() => threadOf(component([]), none)).toThrow('core a: no core module named a');
    const [left, right] = channel('link', 'l', 'a', 'a');
    expect(() => threadOf(component([left]), empty)).toThrow('link l: a/l has no other end');
    expect(() => threadOf(component([left, left]), empty)).toThrow('channel l: two ends claim side a');
    const mixed = [left, { ...right, kind: 'control' as const }];
    expect(() => threadOf(component(mixed), empty)).toThrow('channel l: ends disagree (link, control)');
    expect(() => threadOf(component(channel('link', 'l', 'a', 'b')), empty)).toThrow('no core named b');
  });

  it('takes windows that exist already, and memory for the others', () => {
    const places: number[] = [];
    const thread = scripted(
      {
        a: {
          script: (context) => {
            places.push(context.window('w'), context.window('guest0'));
            expect(() => context.window('guest1')).toThrow(/no memory window named guest1/);
          },
        },
      },
      [],
      { window: (id) => (id === 'guest0' ? 0 : undefined) },
    );
    expect(thread.turn()).toBe(false);
    expect(places).toEqual([4096, 0]);
  });
});
