import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDescriptors } from '@vhostlab/host';
import { readCapture } from '@vhostlab/packet';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import {
  type Backend,
  type BackendOptions,
  checkBackendOptions,
  DEFAULT_BACKEND_OPTIONS,
  startBackend,
} from '../src/index.ts';
import { TinyGuest } from './support/tiny-guest.ts';

const folder = mkdtempSync(join(tmpdir(), 'vhost-device-'));
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => rmSync(folder, { recursive: true }));
let sockets = 0;

async function start(
  options: Partial<BackendOptions> = {},
): Promise<{ backend: Backend; path: string; lines: string[] }> {
  const path = join(folder, `${sockets++}.sock`);
  const lines: string[] = [];
  const log = { line: (text: string) => void lines.push(text), messages: false };
  const backend = await startBackend({ ...DEFAULT_BACKEND_OPTIONS, sockets: [path], ...options }, log);
  cleanups.push(() => backend.stop());
  return { backend, path, lines };
}

async function guestAt(path: string): Promise<TinyGuest> {
  const guest = new TinyGuest();
  cleanups.push(() => guest.close());
  await guest.start(path);
  return guest;
}

/** The frames of a capture as hex. */
function framesOf(bytes: Uint8Array): string[] {
  const reader = readCapture(bytes);
  const frames: string[] = [];
  while (reader.next()) {
    frames.push(
      Buffer.from(bytes.subarray(reader.offset, reader.offset + reader.capturedLength)).toString('hex'),
    );
  }
  return frames;
}

async function echoes(guest: TinyGuest, bytes: number, fill: number): Promise<void> {
  guest.send(bytes, fill);
  await vi.waitFor(() => expect(guest.received()).toEqual([{ bytes, first: fill }]), {
    timeout: 10_000,
    interval: 5,
  });
}

describe('startBackend', () => {
  it('gives a guest its frames back', async () => {
    const { backend, path } = await start({ mode: 'interrupt', port: { kind: 'echo' } });
    const guest = await guestAt(path);
    for (const [bytes, fill] of [
      [60, 7],
      [1514, 8],
      [14, 9],
    ] as const) {
      await echoes(guest, bytes, fill);
    }
    const [rx, tx] = backend.statistics.snapshot();
    expect(rx).toMatchObject({ frames: 3, bytes: 1588, violations: 0 });
    expect(tx).toMatchObject({ frames: 3, bytes: 1588, violations: 0 });
  });

  it('serves one front end after the other, and leaves no descriptor behind', async () => {
    const { backend, path } = await start({ mode: 'interrupt', port: { kind: 'echo' } });
    const before = openDescriptors();
    for (let connection = 1; connection <= 3; connection++) {
      const guest = new TinyGuest();
      await guest.start(path);
      await echoes(guest, 100, connection);
      await guest.close();
      await vi.waitFor(() => expect(backend.devices[0]?.isConnected).toBe(false));
      expect(backend.devices[0]?.connections).toBe(connection);
    }
    expect(openDescriptors()).toBe(before);
  });

  it('breaks only the ring of a guest that breaks the rules, and says so', async () => {
    const { backend, path, lines } = await start({
      sockets: [join(folder, 'a'), join(folder, 'b')],
      port: { kind: 'echo' },
      mode: 'interrupt',
    });
    expect(path).not.toBe('');
    const bad = await guestAt(join(folder, 'a'));
    const good = await guestAt(join(folder, 'b'));
    // the available index runs away by more than the ring holds
    Atomics.store(bad.arena.u16, (16_384 + 4096 + 2) / 2, 1000);
    bad.kickTransmit();
    await vi.waitFor(() => expect(lines.some((line) => line.includes('avail_jump'))).toBe(true), {
      timeout: 10_000,
    });
    await echoes(good, 60, 3);
    const broken = backend.statistics.snapshot().filter(({ violations }) => violations > 0);
    expect(broken.map(({ device, queue }) => [device, queue])).toEqual([[0, 1]]);
  });

  it('writes what the guest sends and its announcement into a capture', async () => {
    const out = join(folder, 'out.pcapng');
    const { backend, path } = await start({ mode: 'interrupt', port: { kind: 'pcap', out } });
    const guest = await guestAt(path);
    guest.send(60, 0x11);
    await vi.waitFor(() => expect(backend.statistics.snapshot()[1]?.frames).toBe(1), { timeout: 10_000 });
    await guest.session?.sendRarp(Uint8Array.of(0x52, 0x54, 0, 0, 0, 9));
    await backend.stop();
    const frames = framesOf(readFileSync(out));
    expect(frames[0]).toBe('11'.repeat(60));
    expect(frames[1]?.slice(0, 28)).toBe('ffffffffffff5254000000098035');
    expect(frames).toHaveLength(2);
  });

  it('names a socket that somebody else serves, and opens none of the others', async () => {
    const { path } = await start();
    const before = openDescriptors();
    const other = join(folder, 'other.sock');
    await expect(start({ sockets: [other, path] })).rejects.toThrow(
      `${path}: somebody listens there: EADDRINUSE`,
    );
    await vi.waitFor(() => expect(openDescriptors()).toBe(before));
  });
});

const SWITCH = { port: { kind: 'switch', tso: false } } as const;

describe('checkBackendOptions', () => {
  const options = { ...DEFAULT_BACKEND_OPTIONS, sockets: ['/tmp/s'] };

  it('accepts the defaults', () => {
    expect(checkBackendOptions(options)).toBeNull();
  });

  it.each([
    [{ sockets: [] }, '--socket-path PATH'],
    [{ fd: 3 }, '--fd and --socket-path exclude each other'],
    [{ queuePairs: 0 }, '--queues 0: use 1 to 128'],
    [{ queueSize: 100 }, '--queue-size 100: use a power of two'],
    [{ workers: 2 }, '--workers 2: use 1 to 1'],
    [{ mtuBytes: 67 }, '--mtu 67'],
    [{ without: ['SPEED'] }, '--without SPEED: this is not one of VERSION_1'],
    [
      { sockets: ['/a', '/b'], port: { kind: 'tap', name: 't' } as const },
      '--port tap: a tap belongs to one device',
    ],
    [{ flows: ['actions=normal'] }, '--flow is for --port switch'],
    [{ ...SWITCH, queuePairs: 2, workers: 2 }, '--workers 2: the switch runs on one thread, use 1'],
    [{ ...SWITCH, mode: 'adaptive' as const }, '--mode adaptive: use poll or interrupt with --port switch'],
    [{ ...SWITCH, flows: ['in_port=guest1,actions=drop'] }, 'guest1'],
  ])('names what is wrong with %j', (change, text) => {
    expect(checkBackendOptions({ ...options, ...change })).toContain(text);
  });
});
