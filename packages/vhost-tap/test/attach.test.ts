import { eventFd, openDescriptors, signalEvent } from '@vhostlab/host';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AttachOptions, attach } from '../src/index.ts';
import type { RecordLine } from '../src/record/record-lines.ts';
import { LoneRing } from './kit/lone-ring.ts';

const VERSION_1 = 1n << 32n;
const RING_PACKED = 1n << 34n;
const EVENT_IDX = 1n << 29n;
/** Wrap counter 1 in a packed event word. */
const LAP_1 = 0x8000;

let ring: LoneRing;

beforeEach(() => {
  ring = new LoneRing();
  ring.record();
});

afterEach(() => ring.close());

const look = (options: Partial<AttachOptions> = {}) =>
  attach({ pid: process.pid, record: ring.folder, intervalMs: 5, ...options });

function dropped(queue: number, avail: number, used: number): RecordLine {
  const rule = 'drop kick queue=1';
  return { kind: 'inject', session: 1, t: 1, text: rule, signal: { rule, kind: 'kick', queue, avail, used } };
}

describe('attach, to a process whose rings a tap has recorded', () => {
  it('finds a queue at rest healthy', async () => {
    ring.put(5, 5);
    const report = await look();
    expect(report).toMatchObject({ pid: process.pid, intervalMs: 5, sick: 0 });
    expect(report.queues).toHaveLength(1);
    const [queue] = report.queues;
    expect(queue).toMatchObject({ device: 'session 1', queue: 1, direction: 'tx', size: 8, waiting: 0 });
    expect(queue?.second).toMatchObject({ avail: 5, used: 5, kickPending: 0, callPending: 0 });
    expect(queue?.verdict.kind).toBe('healthy');
  });

  it('names a lost kick with queue, indices and culprit', async () => {
    ring.put(13, 11);
    const report = await look();
    expect(report.sick).toBe(1);
    const [queue] = report.queues;
    expect(queue).toMatchObject({ waiting: 2, verdict: { kind: 'lost kick', culprit: 'driver side' } });
    expect(queue?.verdict.text).toMatch(/^vq1 avail 13 used 11: 2 wait, the back end wants a kick/);
  });

  it('names the tap when it took that very kick', async () => {
    ring.put(13, 11);
    ring.record([dropped(0, 13, 11), dropped(1, 12, 11)]);
    expect((await look()).queues[0]?.verdict).toMatchObject({ kind: 'lost kick', culprit: 'tap' });
    ring.record([dropped(0, 13, 11), dropped(1, 11, 10)]);
    expect((await look()).queues[0]?.verdict).toMatchObject({ kind: 'lost kick', culprit: 'driver side' });
  });

  it('names a back end that does not read its kick, and leaves the kick where it is', async () => {
    ring.put(13, 11);
    signalEvent(ring.kick.number);
    for (let i = 0; i < 2; i++) {
      const [queue] = (await look()).queues;
      expect(queue?.second.kickPending).toBe(1);
      expect(queue?.verdict).toMatchObject({ kind: 'back end asleep with work', culprit: 'back end' });
    }
  });

  it('names a back end that wants no kicks and takes nothing', async () => {
    ring.put(13, 11, 1);
    const [queue] = (await look()).queues;
    expect(queue?.verdict).toMatchObject({ kind: 'back end asleep with work', culprit: 'back end' });
  });

  it.each<[string, readonly [number, number], string]>([
    ['wants kicks', [0, 0], 'lost kick'],
    ['wants none', [0, 1], 'back end asleep with work'],
    ['wants one at a place that was passed', [4 | LAP_1, 2], 'lost kick'],
    ['wants one at a place that is ahead', [6 | LAP_1, 2], 'back end asleep with work'],
    ['wants one at that place of the other lap', [4, 2], 'back end asleep with work'],
  ])('reads a packed ring whose device %s', async (_what, device, kind) => {
    ring.record([], VERSION_1 | RING_PACKED | EVENT_IDX);
    ring.putPacked(5, 3, device);
    const [queue] = (await look()).queues;
    expect(queue).toMatchObject({
      format: 'packed',
      waiting: 2,
      second: { avail: 5, used: 3 },
      verdict: { kind },
    });
    expect(queue?.verdict.text).toMatch(/^vq1 avail 5:1 used 3:1: 2 wait, /);
  });

  it('counts the eventfd that a tap has put in between too, and says so when it cannot', async () => {
    ring.put(13, 11);
    const step = (id: string): RecordLine => {
      return { kind: 'step', session: 1, t: 1, name: 'SET_VRING_KICK', queue: 1, id };
    };
    ring.record([step('no such eventfd')]);
    const [queue] = (await look()).queues;
    expect(queue?.second.kickPending).toBeNull();
    expect(queue?.verdict).toMatchObject({ kind: 'unclear', culprit: null });
  });

  it('says healthy while the back end goes on, however late the driver kicks', async () => {
    ring.put(13, 0);
    let used = 0;
    const moving = setInterval(() => ring.put(used + 2, used++), 1);
    const { sick } = await look({ intervalMs: 50 });
    clearInterval(moving);
    expect(sick).toBe(0);
  });

  it('changes nothing in the memory, and gives every descriptor back', async () => {
    ring.put(13, 11);
    const memory = ring.bytes;
    const before = openDescriptors();
    await look();
    expect(openDescriptors()).toBe(before);
    expect(ring.bytes).toEqual(memory);
  });

  it.each<[string, Partial<AttachOptions>, string]>([
    ['no record', { record: '/none' }, 'name the folder that a tap has written'],
    ['a process that is not there', { pid: 2 ** 22 }, '--pid 4194304: it does not have the memory'],
    ['another process', { pid: 1 }, '--pid 1: '],
    ['no process', { pid: 0 }, '--pid 0 is not the number of a process.'],
    ['no time', { intervalMs: 0 }, '--interval 0 is not between 1 and 60000 ms.'],
  ])('refuses %s in a sentence, status 2', async (_what, options, text) => {
    const refusal = look(options);
    await expect(refusal).rejects.toThrow(text);
    await expect(refusal).rejects.toMatchObject({ exitCode: 2 });
  });

  it('refuses a record whose front end has gone, or has not begun', async () => {
    ring.record([{ kind: 'close', session: 1, t: 1, text: 'gone' }]);
    await expect(look()).rejects.toThrow('its last front end has gone');
    ring.record([], 1n << 33n);
    await expect(look()).rejects.toThrow('ACCESS_PLATFORM');
  });

  it('refuses to guess where the rings are', async () => {
    const refusal = attach({ pid: process.pid, intervalMs: 5 });
    await expect(refusal).rejects.toThrow('(--qmp SOCKET) or to a tap between the peers (--record DIR)');
  });

  it('does not read an eventfd of anybody', async () => {
    const other = eventFd();
    signalEvent(other.number);
    await look();
    signalEvent(ring.call.number);
    expect((await look()).queues[0]?.second.callPending).toBe(1);
    expect((await look()).queues[0]?.second.callPending).toBe(1);
    other.close();
  });
});
