import { dirname } from 'node:path';
import type { CreateNodesV2 } from '@nx/devkit';

/**
 * Gives every package a `test` target without a project.json: `npx nx test @vhostlab/engine` runs vitest over that
 * folder, from the cache when neither it nor a package below it changed. `npm test` stays one vitest process over all.
 */
export const createNodesV2: CreateNodesV2 = [
  'packages/*/package.json',
  (manifests) =>
    manifests.map((manifest) => {
      const root = dirname(manifest);
      const test = {
        command: `vitest run ${root}/`,
        options: { cwd: '{workspaceRoot}' },
        cache: true,
        inputs: ['default', '^default', '{workspaceRoot}/vitest.config.ts'],
        metadata: { description: 'runs the tests of this package' },
      };
      return [manifest, { projects: { [root]: { targets: { test } } } }] as const;
    }),
];
