import type { Migration } from './migration-outcome.ts';

/** A migration in sentences: how it went, what it cost the guest, and what kept it from being complete or sound. */
export function migrationNotes(migration: Migration | undefined): string[] {
  if (migration === undefined) return [];
  const { guest, to, state, reason, rounds, frames } = migration;
  const who = `${guest} to ${to}`;
  if (state === 'refused') return [`${who}: refused, ${reason}`];
  if (state === 'unfinished') {
    const why = reason === '' ? 'the run was over before the guest had moved' : reason;
    return [`${who}: not finished after ${rounds.length} rounds, ${why}`];
  }
  const pages = `${rounds.length} rounds, ${migration.copied_pages} pages copied of ${migration.memory_pages}`;
  const lost = `${frames.lost} frames lost, ${frames.duplicated} duplicated, ${frames.reordered} reordered`;
  const notes = [
    `${who}: ${pages}, ${migration.total_us} us in all, down ${migration.downtime_us} us; ${lost}; verification ${migration.verification}`,
  ];
  if (migration.verification === 'failed') {
    notes.push(
      `${who}: ${migration.stale_pages} pages are stale there, the first at ${migration.stale_at[0]}: something wrote memory and did not log it`,
    );
  }
  if (reason !== '') notes.push(`${who}: ${reason}`);
  return notes;
}

/** True when a migration was asked for and the guest is not soundly on the other host. */
export function hasMigrationFailed(migration: Migration | undefined): boolean {
  return migration !== undefined && (migration.state !== 'complete' || migration.verification !== 'passed');
}

/** A guest is not soundly on the host that it was to go to. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
  readonly exitCode = 1;
}
