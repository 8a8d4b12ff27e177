import { Argument, type Command } from 'commander';
import type { Catalogue, CatalogueKind } from '../catalogue.ts';
import type { Io } from '../io.ts';
import { renderTable } from '../table.ts';

const KINDS: readonly CatalogueKind[] = ['backends', 'profiles', 'workloads'];

export const examples = [
  ['vhostlab list profiles', 'the machines whose costs a run in virtual time can charge'],
] as const;

/** Adds `vhostlab list`. */
export function register(
  program: Command,
  io: Io,
  loadCatalogue: () => Promise<Catalogue> = loadInstalled,
): void {
  program
    .command('list')
    .description('list back ends, cost profiles or workloads')
    .addArgument(new Argument('<kind>', 'what to list').choices(KINDS))
    .option('--json', 'print one JSON array')
    .action(async (kind: CatalogueKind, options: { json?: boolean }) => {
      const entries = await (await loadCatalogue())[kind]();
      if (options.json === true) {
        io.out(`${JSON.stringify(entries, null, 2)}\n`);
        return;
      }
      const rows = entries.map(({ name, description }) => [name, description]);
      io.out(renderTable([{ title: 'name' }, { title: 'description' }], rows));
    });
}

async function loadInstalled(): Promise<Catalogue> {
  return (await import('../catalogue.ts')).installedCatalogue;
}
