import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDescriptors } from '@vhostlab/host';
import { type Backend, DEFAULT_BACKEND_OPTIONS, startBackend } from '@vhostlab/vhost-device';
import { afterAll, expect, it } from 'vitest';
import { type FrontendEvent, startFrontend } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'vhostlab-inflight-'));
const PATIENCE = { interval: 5, timeout: 20_000 };
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function echo(socketPath: string): Promise<Backend> {
  const port = { kind: 'echo' } as const;
  const options = { ...DEFAULT_BACKEND_OPTIONS, sockets: [socketPath], port, mode: 'interrupt' } as const;
  return startBackend(options, { line: () => undefined, messages: false });
}

it.each(['split', 'packed'] as const)(
  'a %s ring goes on with the next back end as it is: the region tells it where',
  async (ring) => {
    const socketPath = join(folder, `${ring}.sock`);
    const before = openDescriptors();
    let backend = await echo(socketPath);
    const asked: string[] = [];
    const events: FrontendEvent[] = [];
    const frontend = await startFrontend({
      socketPath,
      ring,
      inflight: true,
      reconnect: true,
      memoryBytes: 2 ** 24,
      queueSize: 64,
      wait: 'interrupt',
      workload: {
        kind: 'verify',
        traffic: { kind: 'udp', size: '64', flows: 1, lineBps: 25e9, seed: 7, rate: '20kpps' },
      },
      observer: { sent: ({ name }) => asked.push(name) },
      onEvent: (event) => events.push(event),
    });
    const beyond = (packets: number): Promise<void> =>
      expect.poll(() => frontend.figures().rx.packets, PATIENCE).toBeGreaterThan(packets);
    await beyond(300);
    await backend.stop();
    backend = await echo(socketPath);
    await beyond(frontend.figures().rx.packets + 300);
    const { verified } = await frontend.stop();
    await backend.stop();
    expect(asked.filter((name) => name.endsWith('INFLIGHT_FD'))).toEqual([
      'GET_INFLIGHT_FD',
      'SET_INFLIGHT_FD',
      'SET_INFLIGHT_FD',
    ]);
    const restarts = events.flatMap((event) => (event.kind === 'restarting' ? event.rings : []));
    expect(restarts).toHaveLength(2);
    // its receive buffers were left where they were
    expect(restarts[0]).toMatchObject({ index: 0, reset: false, replayed: 64 });
    const again = restarts[1].replayed;
    expect(verified).toMatchObject({ corrupted: 0, foreign: 0, lost: 0 });
    expect(verified!.duplicated).toBeLessThanOrEqual(again);
    await expect.poll(openDescriptors, PATIENCE).toBeLessThanOrEqual(before);
  },
);
