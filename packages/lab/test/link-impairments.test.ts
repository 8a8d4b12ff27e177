import { mergeLog, readLog } from '@vhostlab/trace';
import { describe, expect, it } from 'vitest';
import type { CompareOptionsInput, LabFileEvent, Result, ScenarioOutcome } from '../src/index.ts';
import { logHash } from './support/log-hash.ts';
import { runRows } from './support/run.ts';
import { splitHash } from './support/split.ts';

const PACKETS = 500;
/** Traffic of 500 frames at 3 million per second takes 167 us. */
const RATE = '3Mpps';

type Settings = Omit<NonNullable<LabFileEvent['link']>, 'endpoints'>;

function at(moment: string, settings: Settings): LabFileEvent {
  return { at: moment, link: { endpoints: ['nic0:wire', 'station:wire'], ...settings } };
}

interface Run {
  result: Result;
  hash: string;
  outcome: ScenarioOutcome;
  records: ReturnType<typeof recordsOf>;
}

async function run(events: LabFileEvent[], more: CompareOptionsInput = {}): Promise<Run> {
  const runs: Run[] = [];
  const input: CompareOptionsInput = {
    workloads: ['pvp'],
    backends: ['vhost-user'],
    packets: PACKETS,
    rate: RATE,
    samples: PACKETS,
    events,
    ...more,
  };
  await runRows(input, {
    use: (outcome, result) =>
      void runs.push({ result, outcome, hash: logHash(outcome), records: recordsOf(outcome) }),
  });
  return runs[0] as Run;
}

function recordsOf({ name, parts }: ScenarioOutcome) {
  const chunks: Uint8Array[] = [];
  mergeLog([{ name, parts }], (bytes) => void chunks.push(bytes.slice()));
  return [...readLog(Buffer.concat(chunks)).sections[0].read()];
}

describe('a wire with loss', () => {
  const events = [at('50us', { loss: '10%' })];

  it('counts what it loses, and is the same in every placement', async () => {
    const { result, hash, outcome } = await run(events);
    expect(result.frames.offered).toBe(PACKETS);
    expect(result.drops).toEqual({ 'link-loss': result.frames.dropped });
    // two directions, 350 and 315 frames after the event: 67 expected, standard deviation 8
    expect(result.frames.dropped).toBeGreaterThan(35);
    expect(result.frames.dropped).toBeLessThan(105);
    expect(result.events).toEqual([{ at_us: 50, event: 'link wire: loss 10 %', took_effect: true }]);
    expect((await run(events)).hash).toBe(hash);
    const apart = [['guest', 'backend', 'switch'], ['nic'], ['station']];
    expect(splitHash(outcome.name, outcome.plan, apart)).toBe(hash);
    expect((await run(events, { seed: 2 })).hash).not.toBe(hash);
  });

  it('is the run without loss up to that moment', async () => {
    const [plain, lossy] = [await run([]), await run(events)];
    expect(plain.result.frames.dropped).toBe(0);
    const startPs = plain.outcome.plan.accountFromPs;
    const before = ({ records }: Run) => records.filter(({ timePs }) => timePs < startPs + 50e6);
    expect(before(plain).length).toBeGreaterThan(1000);
    expect(before(lossy)).toEqual(before(plain));
    expect(lossy.records).not.toEqual(plain.records);
  });

  it('does not keep a requester waiting for ever', async () => {
    const { result } = await run([at('0us', { loss: '10%' })], { workloads: ['rr'], packets: 200 });
    expect(result.frames.offered).toBe(200);
    expect(result.drops).toEqual({ 'link-loss': result.frames.dropped });
    expect(result.frames.dropped).toBeGreaterThan(10);
  });

  it('may lose everything and then nothing', async () => {
    const { result } = await run([at('0us', { loss: '100%' }), at('100us', { loss: '0%' })]);
    expect(result.frames.delivered).toBe(200);
  });
});

describe('a wire that is slow', () => {
  it('delays each frame both ways by exactly so much, and keeps order', async () => {
    const plain = await run([]);
    const late = await run([at('0us', { delay: '50us' })]);
    expect(late.result.latency_us.p50 - plain.result.latency_us.p50).toBeCloseTo(100, 1);
    expect(late.result.frames_sha256).toBe(plain.result.frames_sha256);
    const jittery = await run([at('0us', { jitter: '20us' })]);
    expect(jittery.result.frames_sha256).toBe(plain.result.frames_sha256);
    expect(jittery.result.latency_us.p50).toBeGreaterThan(plain.result.latency_us.p50 + 20);
    expect(jittery.result.latency_us.max).toBeLessThan(plain.result.latency_us.max + 45);
  });

  it('passes frames on at its rate and drops what its queue has no room for', async () => {
    const { result } = await run([at('0us', { rate: '1Gbps' })], { packets: 6000, rate: 'line' });
    // 84 bytes of wire time
    expect(result.throughput_mpps).toBeCloseTo(1e9 / 84 / 8 / 1e6, 2);
    // the queue holds 256 KiB
    expect(result.frames.delivered).toBeGreaterThan((256 * 1024) / 84);
    expect(result.drops).toEqual({ 'link-queue': result.frames.dropped });
    expect(result.frames.dropped).toBeGreaterThan(1000);
  });

  it('holds a bounded number of frames', async () => {
    const { result } = await run([at('0us', { delay: '100ms' })], {
      packets: 70_000,
      rate: '20Mpps',
      samples: 0,
    });
    // the rest is too much for the ring of the card when it comes at once
    expect(result.drops['link-queue']).toBe(70_000 - 65_536);
  });
});

describe('a wire that inverts bits', () => {
  it('has the receiving port find them', async () => {
    const { result, outcome } = await run([at('0us', { corrupt: '10%' })]);
    expect(result.drops).toEqual({ crc: result.frames.dropped });
    const of = (core: string) => outcome.cores.find(({ id }) => id === core)?.counters['drop.crc'] ?? 0;
    expect(of('nic0')).toBeGreaterThan(20);
    expect(of('station')).toBeGreaterThan(20);
    expect(of('nic0') + of('station')).toBe(result.frames.dropped);
  });
});

it('says of an event after the end of the run that it had no effect', async () => {
  const { result, hash } = await run([at('1s', { loss: '5%' })]);
  expect(result.events).toEqual([{ at_us: 1e6, event: 'link wire: loss 5 %', took_effect: false }]);
  expect(result.frames.dropped).toBe(0);
  expect(hash).toBe((await run([])).hash);
});
