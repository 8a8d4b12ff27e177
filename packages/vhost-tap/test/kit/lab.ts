import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Backend,
  type BackendOptions,
  DEFAULT_BACKEND_OPTIONS,
  startBackend,
} from '@vhostlab/vhost-device';
import { type Frontend, type FrontendOptions, startFrontend } from '@vhostlab/vhost-driver';
import {
  DEFAULT_TAP_OPTIONS,
  startTap,
  type Tap,
  type TapOptions,
  type TapSummary,
} from '../../src/index.ts';

/** A front end, a tap and a back end in one process, and their files. */
export class Lab {
  readonly folder = mkdtempSync(join(tmpdir(), 'vhost-tap-'));
  readonly #cleanups: (() => Promise<unknown> | unknown)[] = [];
  tap: Tap | undefined;

  get backendPath(): string {
    return join(this.folder, 'backend.sock');
  }

  get tapPath(): string {
    return join(this.folder, 'tap.sock');
  }

  async backend(options: Partial<BackendOptions> = {}): Promise<Backend> {
    const log = { line: () => undefined, messages: false };
    const backend = await startBackend(
      {
        ...DEFAULT_BACKEND_OPTIONS,
        sockets: [this.backendPath],
        mode: 'interrupt',
        port: { kind: 'echo' },
        ...options,
      },
      log,
    );
    this.#cleanups.push(() => backend.stop());
    return backend;
  }

  startTap(options: Partial<TapOptions> = {}): Tap {
    this.tap = startTap({
      ...DEFAULT_TAP_OPTIONS,
      listen: this.tapPath,
      connect: this.backendPath,
      out: this.folder,
      ...options,
    });
    const { tap } = this;
    this.#cleanups.push(() => tap.stop());
    return tap;
  }

  async frontend(options: Partial<FrontendOptions> & Pick<FrontendOptions, 'workload'>): Promise<Frontend> {
    const frontend = await startFrontend({
      socketPath: this.tapPath,
      memoryBytes: 16 * 2 ** 20,
      queueSize: 64,
      ...options,
    });
    this.#cleanups.push(() => frontend.stop());
    return frontend;
  }

  /** Text of a file that the tap has written. */
  read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  bytes(name: string): Uint8Array {
    return readFileSync(join(this.folder, name));
  }

  /** Ends everything, the front end first. */
  async close(): Promise<TapSummary | undefined> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
    const summary = await this.tap?.stop();
    rmSync(this.folder, { recursive: true });
    return summary;
  }
}
