import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFrontend } from '@vhostlab/vhost-driver';
import {
  DEFAULT_REPLAY_OPTIONS,
  DEFAULT_TAP_OPTIONS,
  type ReplayOptions,
  type ReplaySummary,
  replay,
  startTap,
} from '../../src/index.ts';
import { MutantBackend } from './mutant-backend.ts';
import type { MutantOptions } from './mutant-options.ts';

/** Frames of a guest that its back end does not keep waiting. */
const FRAMES = 60;
/** A guest whose ring was broken sends no more, and does not end by itself. */
const PATIENCE_MS = 150;

/** No machine is so slow that a back end that works is found wanting. */
const PATIENT = { speed: 'fast', timeoutMs: 30_000, receiveTimeoutMs: 30_000 } as const;

/** Recordings and replays in a temporary folder. */
export class Recordings {
  readonly folder = mkdtempSync(join(tmpdir(), 'replay-'));
  #count = 0;

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  path(name: string): string {
    return join(this.folder, `${this.#count++}-${name}`);
  }

  newFolder(): string {
    return mkdtempSync(join(this.folder, 'run-'));
  }

  /** Our own guest, a tap, and a back end: answers the tap's folder. */
  async record(ring: 'split' | 'packed', mutant: MutantOptions): Promise<string> {
    const out = this.newFolder();
    const [connect, listen] = [this.path('backend'), this.path('tap')];
    const backend = new MutantBackend(connect, mutant);
    const tap = startTap({ ...DEFAULT_TAP_OPTIONS, listen, connect, out, notifications: true });
    const traffic = { kind: 'udp', seed: 1, packets: FRAMES, lineBps: 1e10, size: '128' } as const;
    const frontend = await startFrontend({
      socketPath: listen,
      memoryBytes: 2 ** 22,
      queueSize: 32,
      ring,
      wait: 'interrupt',
      workload: { kind: 'verify', traffic, window: 4 },
    });
    const patience = mutant.fault === undefined ? 20_000 : PATIENCE_MS;
    await Promise.race([frontend.ended, new Promise((resolve) => setTimeout(resolve, patience))]);
    await frontend.stop();
    await tap.stop();
    await backend.stop();
    return out;
  }

  /** Plays a recording against a back end in this process, or against whatever listens at `options.socketPath`. */
  async play(
    run: string,
    mutant: MutantOptions | null,
    options: Partial<ReplayOptions> = {},
  ): Promise<ReplaySummary> {
    const socketPath = options.socketPath ?? this.path('replay');
    const backend = mutant === null ? null : new MutantBackend(socketPath, mutant);
    try {
      return await replay({ ...DEFAULT_REPLAY_OPTIONS, ...PATIENT, ...options, folder: run, socketPath });
    } finally {
      await backend?.stop();
    }
  }
}
