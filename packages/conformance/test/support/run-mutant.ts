import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Reactor } from '@vhostlab/host';
import { type CheckInfo, checksOf, type Limits, type Report, runConformance } from '../../src/index.ts';
import { FAULTS, type FaultName } from './faults.ts';
import { MutantPeer } from './mutant-peer.ts';

/** Long enough for a loaded machine: a correct peer never waits for them. */
const PATIENT: Partial<Limits> = {
  replyMs: 10_000,
  ringMs: 10_000,
  recoverMs: 20_000,
  closeMs: 10_000,
  pauseMs: 10,
};
/** A mutant is waited for on purpose, check after check. */
const IMPATIENT: Partial<Limits> = { replyMs: 500, ringMs: 300, recoverMs: 1500, closeMs: 50, pauseMs: 10 };

/**
 * What ends a process in this one: a truncated file raises SIGBUS in whoever has mapped it, so that the back end has to
 * be another process.
 */
export const NEEDS_A_PROCESS = ['mem.truncated-file'];

/** Checks of a back end that can run against a peer in this process. */
export function backEndChecks(): readonly CheckInfo[] {
  return checksOf('back end').filter(({ id }) => !NEEDS_A_PROCESS.includes(id));
}

/** Runs checks against our back end with a fault, or without one. */
export async function runAgainst(
  fault: FaultName | null,
  checks: readonly CheckInfo[],
  repeats = 64,
): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const socketPath = join(folder, 's');
  const reactor = new Reactor();
  const peer = new MutantPeer(socketPath, fault === null ? {} : FAULTS[fault], reactor);
  try {
    return await runConformance(checks, {
      role: 'back end',
      socketPath,
      control: peer,
      restart: 'ended',
      repeats,
      limits: fault === null ? PATIENT : IMPATIENT,
    });
  } finally {
    await peer.dispose();
    await reactor.stop();
    rmSync(folder, { recursive: true });
  }
}

/** Results that count as failures, as `id: verdict, observed`. */
export function failuresOf({ results }: Report): string[] {
  return results
    .filter(({ ok }) => !ok)
    .map(({ check, verdict, observed }) => `${check.id}: ${verdict}, ${observed}`);
}
