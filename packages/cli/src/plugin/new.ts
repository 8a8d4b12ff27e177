import { type Command, Option } from 'commander';
import type { Io } from '../io.ts';
import { VERSION } from '../version.ts';

interface Flags {
  burst?: boolean;
  device?: boolean;
  lang: 'ts' | 'python';
  folder: string;
}

export const examples = [
  ['vhostlab plugin new my-plugin', 'a back end of your own that passes the kit at once'],
] as const;

/** Adds `vhostlab plugin new`. */
export function register(group: Command, io: Io): void {
  group
    .command('new <name>')
    .description('make the package of a plugin that passes conformance at once')
    .addOption(
      new Option('--burst', 'frames in bursts over gRPC, in any language (default)').conflicts('device'),
    )
    .option('--device', 'handles virtqueues itself, at full speed; TypeScript only')
    .addOption(new Option('--lang <language>', 'its language').choices(['ts', 'python']).default('ts'))
    .option('--folder <path>', 'where its folder is made', '.')
    .addHelpText('after', '\nExample:\n  vhostlab plugin new my-plugin --burst --lang python')
    .action(async (name: string, { device, lang, folder }: Flags) => {
      const { newPlugin } = await import('@vhostlab/plugin-kit');
      const depth = device === true ? 'device' : 'burst';
      const files = newPlugin({ name, depth, language: lang, parent: folder, version: VERSION });
      io.out(`${files.map((file) => `${file}\n`).join('')}`);
    });
}
