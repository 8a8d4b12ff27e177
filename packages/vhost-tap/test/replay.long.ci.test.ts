import { readFileSync } from 'node:fs';
import { openDescriptors } from '@vhostlab/host';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_TAP_OPTIONS, startTap } from '../src/index.ts';
import type { MessageLine, OfferLine, RecordLine } from '../src/record/record-lines.ts';
import { MutantBackend } from './kit/mutant-backend.ts';
import { Recordings } from './kit/recording.ts';

const recordings = new Recordings();
afterAll(() => recordings.remove());

/** What a mutant does, what that is called, and in which ring. */
const FAULTS = {
  split: [
    ['range', 'used-id-range', 1],
    ['twice', 'used-id-unknown', 1],
    ['early', 'used-id-unknown', 1],
    ['num-buffers', 'rx-num-buffers', 0],
  ],
  packed: [
    ['range', 'used-id-range', 1],
    ['twice', 'used-id-unknown', 1],
  ],
} as const;

function linesOf(folder: string): RecordLine[] {
  const rows = readFileSync(`${folder}/messages.jsonl`, 'utf8').trim().split('\n');
  return rows.map((row) => JSON.parse(row) as RecordLine);
}

describe.each(['split', 'packed'] as const)('a recording against a mutant, %s', (ring) => {
  let run: string;
  beforeAll(async () => {
    run = await recordings.record(ring, { fault: 'length' });
  });

  it('shows the violation on the mutant each time', async () => {
    const { runs, faultyRuns, violations, differences } = await recordings.play(
      run,
      { fault: 'length' },
      { repeat: 3 },
    );
    expect({ runs, faultyRuns, differences }).toEqual({ runs: 3, faultyRuns: 3, differences: [] });
    expect(violations).toMatchObject([
      { code: 'used-length', party: 'device', queue: 1, runs: 3, clause: 'virtio 1.3, 2.7.8.2 and 2.8.4' },
    ]);
    expect(violations[0]!.first).toMatch(/id \d+, has len 1000, the buffer has room for 0$/);
  });

  it('shows nothing on the fixed one', async () => {
    const { runs, faultyRuns, violations, differences } = await recordings.play(run, {}, { repeat: 3 });
    expect({ runs, faultyRuns, violations, differences }).toEqual({
      runs: 3,
      faultyRuns: 0,
      violations: [],
      differences: [],
    });
  });
});

describe.each(['split', 'packed'] as const)('a recording against a correct back end, %s', (ring) => {
  const sent: string[] = [];
  let run: string;
  beforeAll(async () => {
    const onFrame = (frame: Uint8Array) => void sent.push(Buffer.from(frame).toString('hex'));
    run = await recordings.record(ring, { onFrame });
  });

  it('brings the same frames, and leaves no descriptor', async () => {
    expect(sent.length).toBe(60);
    const again: string[] = [];
    const onFrame = (frame: Uint8Array) => void again.push(Buffer.from(frame).toString('hex'));
    const { faultyRuns, played, notes } = await recordings.play(run, { onFrame });
    expect({ faultyRuns, notes }).toEqual({ faultyRuns: 0, notes: [] });
    expect(again).toEqual(sent);
    expect(played).toMatchObject({ rings: 2, skipped: 0, used: 120 });
    const before = openDescriptors();
    await recordings.play(run, {}, { repeat: 3 });
    expect(openDescriptors()).toBe(before);
  });

  it('sends the same messages and writes the same descriptors, at the recorded speed too', async () => {
    const [connect, listen] = [recordings.path('backend'), recordings.path('tap')];
    const out = recordings.newFolder();
    const backend = new MutantBackend(connect);
    const tap = startTap({ ...DEFAULT_TAP_OPTIONS, listen, connect, out, notifications: true });
    const { faultyRuns } = await recordings.play(run, null, { socketPath: listen, speed: 'recorded' });
    const { violations } = await tap.stop();
    await backend.stop();
    expect({ faultyRuns, violations }).toEqual({ faultyRuns: 0, violations: [] });
    const [then, now] = [linesOf(run), linesOf(out)];
    expect(messagesOf(now)).toEqual(messagesOf(then));
    expect(offersOf(now, 1)).toEqual(offersOf(then, 1));
    expect(offersOf(now, 0)).toEqual(offersOf(then, 0));
  });

  it.each(FAULTS[ring])('shows the fault "%s" of another back end as %s', async (fault, code, queue) => {
    const { faultyRuns, violations } = await recordings.play(run, { fault }, { receiveTimeoutMs: 50 });
    expect(faultyRuns).toBe(1);
    const found = violations.find((each) => each.code === code);
    expect(found).toMatchObject({ party: 'device', queue, runs: 1 });
    expect(found!.clause).toMatch(/^virtio 1\.3, /);
  });
});

it.each(['split', 'packed'] as const)(
  'in order, %s: one used entry may stand for many buffers',
  async (ring) => {
    const run = await recordings.record(ring, { inOrder: true });
    const { faultyRuns, violations, differences, played } = await recordings.play(run, { inOrder: true });
    expect({ faultyRuns, violations, differences }).toEqual({
      faultyRuns: 0,
      violations: [],
      differences: [],
    });
    expect(played.used).toBe(120);
  },
);

function messagesOf(lines: readonly RecordLine[]): string[] {
  const sent = lines.filter(
    (line): line is MessageLine => line.kind === 'message' && line.from === 'front end',
  );
  return sent.map(
    ({ name, bytes, fds }) => `${name} ${bytes} ${fds.map(({ kind, bytes: size }) => [kind, size])}`,
  );
}

function offersOf(lines: readonly RecordLine[], queue: number): unknown[] {
  const offers = lines.filter((line): line is OfferLine => line.kind === 'offer' && line.queue === queue);
  return offers.map(({ place, descriptors, writable }) => ({ place, descriptors, writable }));
}
