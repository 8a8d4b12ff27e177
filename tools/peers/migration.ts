import { setTimeout as delay } from 'node:timers/promises';
import type { Qemu } from './qemu.ts';

/** What QEMU's `query-migrate` tells, as far as tests read it. */
export interface MigrationStatus {
  readonly status: string;
  readonly 'error-desc'?: string;
  readonly 'total-time'?: number;
  readonly downtime?: number;
  readonly ram?: { readonly 'dirty-sync-count': number; readonly transferred: number };
}

const POLL_MS = 50;
const TIMEOUT_MS = 60_000;

/** The address for `migrateTo` and `incoming` that saves to and restores from a file. */
export function fileAddress(path: string): { readonly save: string; readonly restore: string } {
  return { save: `exec:cat > '${path}'`, restore: `exec:cat '${path}'` };
}

/** Limits how fast a machine's memory is moved, so that there is time for it to change meanwhile. */
export async function limitMigration(qemu: Qemu, bytesPerS: number): Promise<void> {
  await qemu.qmp.execute('migrate-set-parameters', { 'max-bandwidth': bytesPerS });
}

/**
 * Migrates a running machine to an address, such as `unix:PATH` on which another QEMU waits, and resolves when it has
 * been moved: this machine is then paused for good. Rejects with QEMU's reason when it fails.
 */
export async function migrateTo(qemu: Qemu, address: string): Promise<MigrationStatus> {
  await qemu.qmp.execute('migrate', { uri: address });
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    const state = (await qemu.qmp.execute('query-migrate')) as MigrationStatus;
    if (state.status === 'completed') return state;
    if (state.status === 'failed' || state.status === 'cancelled' || performance.now() > deadline) {
      throw qemu.process.error(`migration ${state.status}: ${state['error-desc'] ?? 'no reason given'}`);
    }
    await delay(POLL_MS);
  }
}

/** Waits until a machine that was started with `incoming` has arrived: it runs, or is paused when that was asked for. */
export async function arrived(qemu: Qemu): Promise<void> {
  await qemu.process.waitUntil(
    async () => ((await qemu.qmp.execute('query-status')) as { status: string }).status !== 'inmigrate',
    'the machine has arrived',
    TIMEOUT_MS,
  );
}
