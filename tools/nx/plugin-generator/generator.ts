import { join } from 'node:path';
import type { Tree } from '@nx/devkit';
import { pluginFiles } from '../../../packages/plugin-kit/src/scaffold/new-plugin.ts';

/** What `nx g @vhostlab/tools:plugin` asks for (schema.json holds the rules and defaults). */
export interface PluginOptions {
  readonly name: string;
  readonly depth?: 'burst' | 'device';
  readonly lang?: 'ts' | 'python';
  readonly folder?: string;
}

/** Makes FOLDER/NAME of the templates that `vhostlab plugin new` uses. Throws when the folder exists. */
export default function generatePlugin(tree: Tree, options: PluginOptions): () => void {
  const { name, depth = 'burst', lang: language = 'ts', folder = 'examples/plugins' } = options;
  const root = join(folder, name);
  if (tree.exists(root)) throw new Error(`${root} exists; choose another name or folder`);
  const { version } = JSON.parse(tree.read('package.json', 'utf8')!) as { version: string };
  const files = pluginFiles({ name, depth, language, version });
  for (const [path, text] of files) tree.write(join(root, path), text);
  return () => {
    console.log(`Next: npx vhostlab plugin conform --package ${root}`);
  };
}
