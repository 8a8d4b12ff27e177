import { defineConfig } from 'vitest/config';

/** Packages that start processes, open files or set global state: each of their test files gets a process of its own. */
const SYSTEM = [
  'cli',
  'conformance',
  'contracts',
  'host',
  'lab',
  'plugin-kit',
  'telemetry',
  'trace',
  'vhost-device',
  'vhost-driver',
  'vhost-tap',
  'vhost-user',
  'web',
];

const systemTests = [`packages/{${SYSTEM.join(',')}}/test/**/*.test.ts`, 'tools/**/*.test.ts'];
const elsewhere = ['**/node_modules/**', '**/*.peers.test.ts', '**/*.ci.test.ts'];

/**
 * One vitest process over all packages: 4 to 13 times faster than one process per package on two cores. Pure packages
 * share workers without isolation, because they have no global state to leak.
 */
export default defineConfig({
  test: {
    pool: 'threads',
    // vitest leaves one core to itself, which would be half of two
    maxWorkers: '100%',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'pure',
          include: ['packages/*/test/**/*.test.ts'],
          exclude: [...elsewhere, ...systemTests],
          isolate: false,
        },
      },
      {
        extends: true,
        // threads would share one table of descriptors, which these tests count
        test: { name: 'system', include: systemTests, exclude: elsewhere, pool: 'forks' },
      },
    ],
  },
});
