import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Reactor } from '@vhostlab/host';
import {
  type CheckInfo,
  checksOf,
  type Limits,
  type Report,
  runConformance,
  type Verdict,
} from '../../src/index.ts';
import { readGuestCatches } from './caught-by.ts';
import { GUEST_FAULTS, type GuestFaultName } from './guest-faults.ts';
import { MutantGuest } from './mutant-guest.ts';

/** `pauseMs` is how long a correct front end has for doing what it must not do. */
const PATIENT: Partial<Limits> = { replyMs: 10_000, recoverMs: 20_000, pauseMs: 20 };
/** A mutant does it at once; that it never does something is waited for. */
const IMPATIENT: Partial<Limits> = { replyMs: 500, recoverMs: 3000, pauseMs: 100 };

/** Runs checks against our front end with a fault, or without one. */
export async function runAgainstGuest(
  fault: GuestFaultName | null,
  checks: readonly CheckInfo[],
): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const socketPath = join(folder, 's');
  const reactor = new Reactor();
  const guest = new MutantGuest(socketPath, fault === null ? {} : GUEST_FAULTS[fault], reactor);
  try {
    return await runConformance(checks, {
      role: 'front end',
      socketPath,
      control: guest,
      restart: 'ended',
      limits: fault === null ? PATIENT : IMPATIENT,
    });
  } finally {
    await guest.dispose();
    await reactor.stop();
    rmSync(folder, { recursive: true });
  }
}

/** What the checks find of a mutant that must catch it. */
export async function caughtBy(
  fault: GuestFaultName,
): Promise<{ id: string; verdict: Verdict; ok: boolean }[]> {
  const ids = new Set(readGuestCatches().flatMap((one) => (one.fault === fault ? [one.id] : [])));
  const { results } = await runAgainstGuest(
    fault,
    checksOf('front end').filter(({ id }) => ids.has(id)),
  );
  return results.map(({ check, verdict, ok }) => ({ id: check.id, verdict, ok }));
}

export const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);
