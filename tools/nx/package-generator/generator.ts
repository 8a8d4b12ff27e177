import type { Tree } from '@nx/devkit';

/** What `nx g @vhostlab/tools:package` asks for (schema.json holds the rules). */
export interface PackageOptions {
  readonly name: string;
  readonly description: string;
}

/**
 * Makes packages/NAME with a manifest, a README to fill and an empty index. Throws when the folder exists.
 * Its line in tools/check/direction.ts and the lock file are left to the author, because both need a decision.
 */
export default function generatePackage(tree: Tree, { name, description }: PackageOptions): () => void {
  const root = `packages/${name}`;
  if (tree.exists(root)) {
    throw new Error(`${root} exists; choose another name`);
  }
  const { version } = JSON.parse(tree.read('package.json', 'utf8')!) as { version: string };
  const manifest = {
    name: `@vhostlab/${name}`,
    version,
    description,
    license: 'Apache-2.0',
    type: 'module',
    exports: { '.': './src/index.ts' },
    dependencies: {},
  };
  tree.write(`${root}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  tree.write(`${root}/README.md`, readme(name, description));
  tree.write(`${root}/src/index.ts`, 'export {};\n');
  return () => {
    console.log(`Next: add '${name}' to a line of tools/check/direction.ts, then run npm install.`);
  };
}

function readme(name: string, description: string): string {
  return `# @vhostlab/${name}

${description}.

First file to read: \`src/index.ts\`.

## Assumptions

## Testing it alone

\`npx vitest run packages/${name}\`
`;
}
