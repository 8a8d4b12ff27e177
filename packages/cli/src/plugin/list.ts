import type { Command } from 'commander';
import type { Io } from '../io.ts';

/** Adds `vhostlab plugin list`. */
export function register(group: Command, io: Io): void {
  group
    .command('list')
    .description('list the built-in back ends and the plugins in a folder, its children and its node_modules')
    .option('--folder <path>', 'where to look', '.')
    .option('--json', 'print one JSON array')
    .addHelpText('after', '\nExample:\n  vhostlab plugin list')
    .action(async ({ folder, json }: { folder: string; json?: boolean }) => {
      const [{ listPlugins }, { PLUGINS }] = await Promise.all([
        import('@vhostlab/plugin-kit'),
        import('@vhostlab/lab'),
      ]);
      const rows = [
        ...PLUGINS.map(({ name, depth, summary }) => ({ name, depth, where: 'built in', about: summary })),
        ...listPlugins(folder).map((one) => {
          if ('problem' in one) return { name: '?', depth: '?', where: one.folder, about: one.problem };
          const { name, depth, command } = one.manifest;
          return { name, depth, where: one.folder, about: command?.join(' ') ?? one.manifest.module ?? '' };
        }),
      ];
      if (json === true) io.out(`${JSON.stringify(rows, null, 2)}\n`);
      else {
        for (const { name, depth, where, about } of rows) {
          io.out(`${name.padEnd(20)} ${depth.padEnd(7)} ${where}: ${about}\n`);
        }
      }
    });
}
