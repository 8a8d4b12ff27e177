import { defineConfig } from 'vitest/config';

/**
 * The long tests of `.ci/run`: `*.ci.test.ts` repeat in full what `npm test` samples, `*.peers.test.ts` need programs
 * that npm cannot install and fail without them. One file at a time: they start services and measure.
 */
export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.{ci,peers}.test.ts', 'tools/**/*.{ci,peers}.test.ts'],
    exclude: ['**/node_modules/**'],
    pool: 'forks',
    fileParallelism: false,
    // whole guests boot and move on CPUs that others use too; what fails twice is a fault
    retry: 1,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
});
