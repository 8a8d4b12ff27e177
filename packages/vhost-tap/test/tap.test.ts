import { openDescriptors } from '@vhostlab/host';
import { readCapture } from '@vhostlab/packet';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseInjectRule } from '../src/index.ts';
import { EVENT_MAGIC, EVENT_RECORD_BYTES } from '../src/journal/event-file.ts';
import type { RecordLine } from '../src/record/record-lines.ts';
import { Lab } from './kit/lab.ts';

const labs: Lab[] = [];
afterEach(async () => {
  for (const lab of labs.splice(0)) await lab.close();
});

function newLab(): Lab {
  const lab = new Lab();
  labs.push(lab);
  return lab;
}

const verify = (packets: number) =>
  ({ kind: 'verify', traffic: { kind: 'udp', seed: 1, packets, lineBps: 10e9, size: '128' } }) as const;

function linesOf(lab: Lab): RecordLine[] {
  const lines = lab.read('messages.jsonl').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as RecordLine);
}

describe('a tap between our own peers', () => {
  it.each([
    ['split', false],
    ['packed', false],
    ['split', true],
    ['packed', true],
  ] as const)('%s, notifications stepped into: %s', async (ring, notifications) => {
    const lab = newLab();
    await lab.backend();
    const tap = lab.startTap({ notifications });
    const frontend = await lab.frontend({ workload: verify(400), ring, wait: 'interrupt' });
    await frontend.ended;
    const { verified, stoppedAt } = await frontend.stop();
    expect(verified).toMatchObject({ received: 400, lost: 0, corrupted: 0 });
    expect(stoppedAt).toHaveLength(2);
    const summary = await tap.stop();
    expect(summary.violations).toEqual([]);
    expect(summary).toMatchObject({ sessions: 1, injected: 0 });
    expect(summary.rings.map(({ queue }) => queue)).toEqual([0, 1]);
    if (notifications) expect(Math.min(summary.kicks, summary.calls, summary.frames)).toBeGreaterThan(0);
    expectFiles(lab, summary.frames);
  });

  function expectFiles(lab: Lab, frames: number): void {
    const log = lab.read('live.log');
    expect(log).toMatch(/^\d+\.\d{3} GET_FEATURES {11}flags=0x1 size=0 fds=0$/m);
    expect(log).toMatch(/^\d+\.\d{3} RING vq1 avail=\S+ used=\S+ driver=\S+ device=\S+ \(\+\d+ avail/m);
    const capture = readCapture(lab.bytes('frames.pcapng'));
    let read = 0;
    while (capture.next()) {
      read++;
      expect(capture.capturedLength).toBe(124);
    }
    expect(read).toBe(frames);
    const events = lab.bytes('events.bin');
    expect(new TextDecoder().decode(events.subarray(0, 8))).toBe(EVENT_MAGIC);
    expect(events.length % EVENT_RECORD_BYTES).toBe(0);
    const lines = linesOf(lab);
    const kinds = new Set(lines.map(({ kind }) => kind));
    for (const kind of ['record', 'open', 'message', 'ring-start', 'ring-stop', 'close'] as const) {
      expect(kinds).toContain(kind);
    }
    const memory = lab.bytes('memory.bin').length;
    for (const line of lines) {
      if (line.kind !== 'offer') continue;
      for (const { at, bytes } of line.memory) expect(at + bytes).toBeLessThanOrEqual(memory);
    }
  }

  it('serves one front end after the other, and gives everything back', async () => {
    const lab = newLab();
    await lab.backend();
    const tap = lab.startTap({ notifications: true });
    let before = 0;
    for (let round = 0; round < 3; round++) {
      const frontend = await lab.frontend({ workload: verify(50) });
      await frontend.ended;
      await frontend.stop();
      await vi.waitFor(() => expect(lab.read('live.log').match(/CLOSE/g)).toHaveLength(round + 1), 5000);
      if (round === 0) before = openDescriptors();
    }
    expect(openDescriptors()).toBe(before);
    expect(tap.summary()).toMatchObject({ sessions: 3, violationCount: 0 });
  });

  it('tells a front end that comes before its back end', async () => {
    const lab = newLab();
    const tap = lab.startTap();
    await expect(lab.frontend({ workload: { kind: 'rx' } })).rejects.toThrow();
    await tap.stop();
    expect(lab.read('live.log')).toMatch(
      /NOTE a peer came, and the other one is not there: connect .*: ENOENT/,
    );
  });

  it('turns round: a back end comes, and the front end listens', async () => {
    const lab = newLab();
    const frontendPath = `${lab.folder}/frontend.sock`;
    lab.startTap({ acceptBackend: true, connect: frontendPath });
    const starting = lab.frontend({ workload: verify(50), socketPath: frontendPath, server: true });
    await lab.backend({ sockets: [lab.tapPath], client: true });
    const frontend = await starting;
    await frontend.ended;
    const { verified } = await frontend.stop();
    expect(verified).toMatchObject({ received: 50, lost: 0 });
    const summary = await lab.tap?.stop();
    expect(summary?.violations).toEqual([]);
    expect(summary?.messages).toBeGreaterThan(20);
  });
});

describe('faults between peers', () => {
  it('loses kicks, and says so', async () => {
    const lab = newLab();
    await lab.backend();
    const tap = lab.startTap({ inject: [parseInjectRule('drop kick')] });
    const frontend = await lab.frontend({ workload: verify(400), wait: 'interrupt' });
    await vi.waitFor(() => expect(tap.summary().injected).toBeGreaterThan(0), {
      timeout: 20_000,
      interval: 5,
    });
    // our back end looks again by itself, so frames may arrive all the same
    await frontend.stop();
    const { kicks, injected } = await tap.stop();
    expect(injected).toBe(kicks);
    expect(lab.read('live.log')).toMatch(/INJECT drop kick: kick of vq/);
    expect(linesOf(lab).some(({ kind }) => kind === 'inject')).toBe(true);
  });

  it('delays calls, and everything arrives', async () => {
    const lab = newLab();
    await lab.backend();
    lab.startTap({ inject: [parseInjectRule('delay call by=3ms every=2')] });
    const frontend = await lab.frontend({ workload: verify(100), wait: 'interrupt' });
    await frontend.ended;
    const { verified } = await frontend.stop();
    expect(verified).toMatchObject({ received: 100, lost: 0 });
  });

  it('duplicates and drops messages, and blames nobody for what it does itself', async () => {
    const lab = newLab();
    await lab.backend();
    const rules = ['duplicate message SET_VRING_ENABLE nth=1', 'drop message GET_MAX_MEM_SLOTS'];
    const tap = lab.startTap({ inject: rules.map(parseInjectRule) });
    const starting = lab.frontend({ workload: { kind: 'rx' }, replyTimeoutMs: 300, connectTimeoutMs: 500 });
    await expect(starting).rejects.toThrow();
    const summary = await tap.stop();
    expect(summary.injected).toBeGreaterThan(0);
    expect(summary.violations).toEqual([]);
  });
});
