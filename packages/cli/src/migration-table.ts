import type { LabState, Migration } from '@vhostlab/lab';
import { renderTable } from './table.ts';

/** Rounds and phases of a migration as two tables, indented. */
function renderMigration({ rounds, phases }: Migration): string[] {
  const right = (title: string) => ({ title, align: 'right' as const });
  const copied = renderTable(
    [{ title: 'round' }, ...['pages', 'by vCPUs', 'by back end', 'from us', 'to us'].map(right)],
    rounds.map((one) => [
      one.kind,
      String(one.pages),
      String(one.from_vcpus),
      String(one.from_backend),
      one.from_us.toFixed(1),
      one.to_us.toFixed(1),
    ]),
  );
  const parts = renderTable(
    [{ title: 'phase' }, ...['from us', 'to us', 'exits', 'host cores (modelled)'].map(right)],
    phases.map((one) => [
      one.phase,
      one.from_us.toFixed(1),
      one.to_us.toFixed(1),
      String(one.exits),
      one.host_cores.toFixed(2),
    ]),
  );
  return [copied, parts];
}

/** How guests got to other hosts: sentences and tables. */
export function migrationLines({ runs }: LabState, notesOf: (migration: Migration) => string[]): string[] {
  return runs.flatMap(({ name, migration }) =>
    migration === undefined
      ? []
      : [...notesOf(migration).map((note) => `${name}: ${note}`), '', ...renderMigration(migration)],
  );
}
