import { describe, expect, it } from 'vitest';
import { ChannelTap } from '../src/channel-tap.ts';
import type { Recorder } from '../src/index.ts';
import { pingPlan, runGroups } from './ping.ts';

const ALL = ['guest', 'backend', 'nic'];

describe('channel taps', () => {
  it('note what an end sends, bytes and values in hexadecimal', () => {
    const notes: [string, string, number, number][] = [];
    const stages: string[] = [];
    const recorder: Recorder = {
      sampled: () => false,
      event: () => undefined,
      eventAt: () => undefined,
      note: (stage, text, a, b) => notes.push([stages[stage], text, a, b]),
    };
    const tap = new ChannelTap(recorder, 'vq.0.0', (name) => stages.push(name) - 1);
    tap.bytes(Uint8Array.of(9, 0xab, 0x01), 1, 0x5000, 2);
    tap.word(16, 0x6002, 7);
    tap.word(32, 0x6004, 8);
    tap.notify(1);
    tap.register('write', 0x14, 1, 0xf);
    tap.register('read', 0x04, 4, 0x308799a7);
    tap.message('request', 1, Uint8Array.of(0x0a, 0));
    tap.bytes(new Uint8Array(5000), 0, 0, 5000);
    expect(notes.slice(0, -1)).toEqual([
      ['tap.bytes', 'vq.0.0 ab01', 0x5000, 2],
      ['tap.word16', 'vq.0.0', 0x6002, 7],
      ['tap.word32', 'vq.0.0', 0x6004, 8],
      ['tap.notify', 'vq.0.0', 1, 0],
      ['tap.write', 'vq.0.0 f', 0x14, 1],
      ['tap.read', 'vq.0.0 308799a7', 0x04, 4],
      ['tap.request', 'vq.0.0 0a00', 1, 2],
    ]);
    const [, text, , length] = notes[notes.length - 1];
    expect([text.length, length]).toEqual(['vq.0.0 '.length + 2 * 4096, 5000]);
  });

  it('change no figure and note the same in any placement', () => {
    const plain = runGroups(pingPlan(100, 'wait', false), [ALL]);
    const plan = { ...pingPlan(100, 'wait', false), taps: true };
    const tapped = runGroups(plan, [ALL]);
    const split = runGroups(plan, [['guest'], ['backend'], ['nic']]);
    const bytes = (logs: Uint8Array[]) => logs.reduce((sum, log) => sum + log.length, 0);
    expect(tapped.statistics).toEqual(plain.statistics);
    expect(bytes(tapped.log)).toBeGreaterThan(bytes(plain.log) + 100 * 32);
    expect(bytes(split.log)).toBe(bytes(tapped.log));
  });
});
