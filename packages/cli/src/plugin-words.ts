import { OperatorError } from './errors.ts';
import { keepOption } from './plugin-flags.ts';

/** A plugin on a command line: where it is, and its options. */
export interface PluginWord {
  plugin: string;
  options: Record<string, unknown>;
}

/** `PLACE,option=value,…`, as `--plugin` of `compare` takes it; a comma without an option behind it belongs to the place. */
export function keepPlugin(text: string, before: PluginWord[] = []): PluginWord[] {
  const words = text.split(',');
  let first = words.length;
  while (first > 1 && /^[A-Za-z_][\w.-]*=/.test(words[first - 1])) first--;
  const plugin = words.slice(0, first).join(',');
  if (plugin === '') throw new OperatorError(`--plugin: "${text}" does not say where the plugin is`);
  const options = words
    .slice(first)
    .reduce<Record<string, unknown>>((all, word) => keepOption(word, all), {});
  return [...before, { plugin, options }];
}

/** Back ends of a command with plugins found from the present folder; undefined when none were given. */
export async function withPlugins(
  backends: readonly unknown[] | undefined,
  plugins: readonly PluginWord[] | undefined,
): Promise<unknown[] | undefined> {
  if (plugins === undefined) return backends === undefined ? undefined : [...backends];
  const { BACKENDS } = await import('@vhostlab/workload');
  const { locateChoice, nameApart } = await import('@vhostlab/lab');
  const found = plugins.map((choice) => {
    try {
      return locateChoice(choice, process.cwd());
    } catch (error) {
      throw new OperatorError(`--plugin: ${(error as Error).message}`);
    }
  });
  return nameApart([...(backends ?? BACKENDS), ...found]);
}

/** Arguments of `serve backend` that make it host these plugins besides the built-in back ends. */
export function pluginArguments(plugins: readonly string[]): string[] {
  return plugins.length === 0 ? [] : ['--with-built-in', ...plugins.flatMap((place) => ['--plugin', place])];
}
