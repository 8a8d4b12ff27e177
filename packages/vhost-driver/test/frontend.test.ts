import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDescriptors, UnixListener, type UnixSocket } from '@vhostlab/host';
import { type Backend, DEFAULT_BACKEND_OPTIONS, startBackend } from '@vhostlab/vhost-device';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Frontend, type FrontendEvent, type FrontendOptions, startFrontend } from '../src/index.ts';

const MIB = 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), 'vhostlab-driver-'));
const path = join(folder, 'echo.sock');
const POLL = { interval: 2, timeout: 20_000 };
const QUIET = { line: () => undefined, messages: false };
const TRAFFIC = { kind: 'udp', size: '64', flows: 4, lineBps: 25e9, seed: 7 } as const;

function echo(client: boolean, socket: string): Promise<Backend> {
  return startBackend(
    {
      ...DEFAULT_BACKEND_OPTIONS,
      sockets: [socket],
      client,
      queuePairs: 2,
      mode: 'interrupt',
      port: { kind: 'echo' },
    },
    QUIET,
  );
}

function start(options: Partial<FrontendOptions>): Promise<Frontend> {
  return startFrontend({
    socketPath: path,
    memoryBytes: 16 * MIB,
    queueSize: 64,
    wait: 'interrupt',
    workload: { kind: 'rx' },
    ...options,
  });
}

/** The other side closes its ends in its own time. */
async function noneLeft(before: number): Promise<void> {
  await expect.poll(openDescriptors, POLL).toBeLessThanOrEqual(before);
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a front end at our own back end', () => {
  let backend: Backend;

  beforeAll(async () => {
    backend = await echo(false, path);
  });

  afterAll(async () => {
    await backend.stop();
  });

  it.each([
    { ring: 'split', queues: 2, size: '64', features: {} },
    { ring: 'packed', queues: 1, size: '1518', features: { eventIdx: true }, regions: 3 },
    { ring: 'split', queues: 1, size: '1400', features: { inOrder: false }, txLayout: 'indirect' },
  ] as const)('gets every frame back as it was: $ring, $queues pairs, $size bytes', async (options) => {
    const { size, ...others } = options;
    const before = openDescriptors();
    const frontend = await start({
      ...others,
      workload: { kind: 'verify', traffic: { ...TRAFFIC, size, packets: 3000 } },
    });
    expect((await frontend.ended).why).toBe('done');
    const { verified, figures, undelivered, stoppedAt } = await frontend.stop();
    expect(verified).toMatchObject({ received: 3000, lost: 0, corrupted: 0, duplicated: 0, foreign: 0 });
    expect(figures.tx).toMatchObject({ packets: 3000, completed: 3000, broken: 0 });
    expect(undelivered).toBe(0);
    expect(stoppedAt).toHaveLength(2 * options.queues);
    await noneLeft(before);
  });

  it('times requests and their answers', async () => {
    const frontend = await start({
      workload: { kind: 'rr', traffic: { ...TRAFFIC, flows: 1, packets: 200 } },
    });
    expect((await frontend.ended).why).toBe('done');
    const { latency } = await frontend.stop();
    expect(latency).toMatchObject({ answered: 200, lost: 0, stray: 0 });
    const { minNs, p50Ns, p99Ns, maxNs } = latency!;
    expect([minNs, p50Ns, p99Ns, maxNs]).toEqual([minNs, p50Ns, p99Ns, maxNs].toSorted((a, b) => a - b));
    expect(minNs).toBeGreaterThan(0);
  });

  it('lets a test write a ring word by word', async () => {
    const frontend = await start({ workload: { kind: 'raw' } });
    const [rx, tx] = [frontend.rawRing(0), frontend.rawRing(1)];
    const { gpa: into, offset } = rx.buffer(2048);
    const { gpa: from, offset: frame } = tx.buffer(72);
    const { u8 } = frontend.memory.arena;
    u8.fill(0xab, frame + 12, frame + 72);
    rx.descriptor(5, { address: into, length: 2048, flags: 2 });
    rx.available(0, 5);
    rx.availableIndex(1);
    rx.kick();
    tx.descriptor(9, { address: from, length: 72, flags: 0 });
    tx.available(0, 9);
    tx.availableIndex(1);
    tx.kick();
    await expect.poll(() => [rx.usedIndex, tx.usedIndex], POLL).toEqual([1, 1]);
    expect(rx.used(0)).toEqual({ id: 5, length: 72 });
    expect(tx.used(0)).toMatchObject({ id: 9 });
    expect(u8.slice(offset + 12, offset + 72).every((byte) => byte === 0xab)).toBe(true);
    await frontend.stop();
  });

  it('tells in one sentence what the back end does not have', async () => {
    const before = openDescriptors();
    await expect(start({ queues: 3 })).rejects.toThrow('the back end has 2 queue pairs, not 3');
    await expect(start({ socketPath: join(folder, 'none'), connectTimeoutMs: 60 })).rejects.toThrow(
      /no back end at .*none within 0.06 s \(ENOENT\)/,
    );
    await expect(start({ memoryBytes: MIB, queueSize: 1024 })).rejects.toThrow('guest memory is too small');
    await expect(start({ queueSize: 100 })).rejects.toThrow('not a power of two');
    await noneLeft(before);
  });
});

describe('a front end at a back end that makes no sense (bad input 33)', () => {
  /** Answers to the first request: header words and payload. */
  it.each([
    ['nothing, and the connection ends', undefined],
    ['another request', [2, 5, 8, 0, 0]],
    ['no reply bit', [1, 1, 8, 0, 0]],
    ['too little', [1, 5, 4, 0]],
    ['far too much', [1, 5, 0xffffffff]],
  ])('gives up in one sentence, and leaves nothing open: %s', async (_, words) => {
    const before = openDescriptors();
    const socketPath = join(folder, 'odd.sock');
    const listener = UnixListener.listen(socketPath);
    const starting = start({ socketPath, replyTimeoutMs: 5000 });
    starting.catch(() => undefined);
    let peer: UnixSocket | undefined;
    await expect
      .poll(() => {
        peer ??= listener.accept();
        return peer?.receive(new Uint8Array(64));
      }, POLL)
      .toMatchObject({ bytes: 12 });
    if (words !== undefined) peer!.send(new Uint8Array(Uint32Array.from(words).buffer));
    else peer!.close();
    await expect(starting).rejects.toThrow(/^the back end failed: GET_FEATURES: /);
    peer!.close();
    listener.close();
    await noneLeft(before);
  });
});

describe('a front end whose back end goes away', () => {
  it.each([{ server: true }, { server: false }])('takes another one and goes on: %o', async ({ server }) => {
    const own = mkdtempSync(join(tmpdir(), 'vhostlab-driver-'));
    const socketPath = join(own, 'guest.sock');
    const before = openDescriptors();
    const events: FrontendEvent[] = [];
    let backend = server ? undefined : echo(false, socketPath);
    await backend;
    const frontend = await start({
      socketPath,
      server,
      reconnect: true,
      workload: { kind: 'verify', traffic: { ...TRAFFIC, rate: '20kpps' } },
      onEvent: (event) => {
        events.push(event);
        if (event.kind === 'listening') backend = echo(true, socketPath);
      },
    });
    const beyond = async (packets: number): Promise<void> => {
      await expect
        .poll(() => frontend.figures().rx.packets, { interval: 5, timeout: 20_000 })
        .toBeGreaterThan(packets);
    };
    await beyond(500);
    await (await backend!).stop();
    backend = echo(server, socketPath);
    await beyond(frontend.figures().rx.packets + 500);
    const { verified, figures } = await frontend.stop();
    await (await backend).stop();
    const restarting = events.find((event) => event.kind === 'restarting');
    expect(events.map(({ kind }) => kind)).toEqual([
      ...(server ? ['listening'] : []),
      'started',
      'lost',
      'restarting',
      'started',
    ]);
    expect(figures).toMatchObject({ connections: 2 });
    // an orderly end gives all buffers back: what was sent meanwhile waits in the ring, and nothing comes twice
    expect(verified).toMatchObject({ corrupted: 0, foreign: 0 });
    const replayed =
      restarting?.rings.reduce((sum, ring) => sum + (ring.index === 1 ? ring.replayed : 0), 0) ?? 0;
    expect(verified!.duplicated).toBeLessThanOrEqual(replayed);
    await noneLeft(before);
    rmSync(own, { recursive: true, force: true });
  });
});
