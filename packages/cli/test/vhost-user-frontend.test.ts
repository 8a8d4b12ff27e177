import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCapture } from '@vhostlab/packet';
import { type Backend, DEFAULT_BACKEND_OPTIONS, startBackend } from '@vhostlab/vhost-device';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { type FakeIo, fakeIo } from './fake-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'vhostlab-cli-'));
const socketPath = join(folder, 'vu.sock');
let backend: Backend;

beforeAll(async () => {
  const options = { ...DEFAULT_BACKEND_OPTIONS, sockets: [socketPath], queuePairs: 2 };
  backend = await startBackend(
    { ...options, mode: 'interrupt', port: { kind: 'echo' } },
    { line: () => undefined, messages: false },
  );
});

afterAll(async () => {
  await backend.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function run(args: readonly string[], io: FakeIo = fakeIo()): Promise<{ io: FakeIo; status: number }> {
  const status = await main(
    [
      'vhost-user',
      'frontend',
      '--socket-path',
      socketPath,
      '--memory',
      '32M',
      '--wait',
      'interrupt',
      ...args,
    ],
    io,
  );
  return { io, status };
}

describe('vhostlab vhost-user frontend', () => {
  it('verifies what comes back, and says so in a table', async () => {
    const { io, status } = await run(['--workload', 'verify', '--packets', '500', '--queues', '2']);
    expect(status).toBe(0);
    expect(io.stderr()).toContain('rings run with MRG_RXBUF VERSION_1 IN_ORDER');
    expect(io.stdout()).toMatch(/^queue +packets +Mpps/);
    expect(io.stdout()).toContain('verified: received 500, lost 0');
  });

  it('replays a capture, and writes what came back as it was', async () => {
    const capture = 'examples/traffic/mixed.pcapng';
    const written = join(folder, 'back.pcapng');
    const args = ['--workload', `pcap:${capture}`, '--rate', '5kpps', '--json'];
    const { io, status } = await run([...args, '--write-pcap', written]);
    expect(status).toBe(0);
    const result = JSON.parse(io.stdout());
    expect(result).toMatchObject({ clock: 'real', ended: 'done', undelivered: 0, connections: 1 });
    expect(framesOf(written)).toEqual(framesOf(capture).filter(({ length }) => length >= 14));
  });

  it.each([
    [['--workload', 'fly'], '--workload fly: this is not one of tx, rx'],
    [['--size', '20'], '--size: frame size 20 is outside 64'],
    [['--rate', 'fast'], '--rate: rate "fast" is not understood'],
    [['--queues', '3'], 'the back end has 2 queue pairs, not 3: ask for fewer queues.'],
    [['--workload', 'pcap:/none.pcap'], 'cannot read the capture: ENOENT'],
    [['--memory', '1M', '--queue-size', '4096'], 'guest memory is too small'],
  ])('ends with status 2 and one sentence: %j', async (args, sentence) => {
    const { io, status } = await run(args);
    expect(status).toBe(2);
    expect(io.stderr()).toContain(sentence);
    expect(io.stdout()).toBe('');
  });

  it('runs until it is interrupted, and shows what it has found', async () => {
    const stop = new AbortController();
    const io = fakeIo({ signal: stop.signal });
    const running = run(['--workload', 'rr', '--rate', '1kpps'], io);
    await expect.poll(() => io.stderr(), { interval: 10, timeout: 20_000 }).toContain('rings run');
    stop.abort();
    expect((await running).status).toBe(0);
    expect(io.stdout()).toMatch(/\d+ answers: min/);
  });
});

/** Bytes of all frames of a capture. */
function framesOf(path: string): Buffer[] {
  const bytes = readFileSync(path);
  const reader = readCapture(bytes);
  const frames: Buffer[] = [];
  while (reader.next()) {
    frames.push(Buffer.from(bytes.subarray(reader.offset, reader.offset + reader.capturedLength)));
  }
  return frames;
}
