import { describe, expect, it } from 'vitest';
import { messageErrors } from './commit-message.ts';
import { dependencyErrors, longFiles } from './manifests.ts';
import { graphOf } from './temp-tree.ts';

describe('package.json against imports', () => {
  const manifest = JSON.stringify({
    name: '@vhostlab/web',
    dependencies: { 'chart.js': '4', zod: '4', yaml: '2' },
  });

  it('finds undeclared imports and dependencies that nothing uses', () => {
    const graph = graphOf({
      'packages/web/package.json': manifest,
      'packages/web/src/a.ts':
        "import 'zod/mini';\nimport 'pino';\nimport 'fs';\nimport '#x';\nimport './b.ts';",
      'packages/web/src/b.ts': "export const chart = import.meta.resolve('chart.js/dist/chart.js');",
    });
    expect(dependencyErrors(graph)).toEqual([
      'packages/web/src/a.ts:2: imports pino, which its package.json does not declare',
      'packages/web/package.json: nothing there imports yaml',
    ]);
  });

  it("lends tests the root's development dependencies, and sources not", () => {
    const graph = graphOf({
      'packages/layout/src/a.ts': "import 'vitest';",
      'packages/layout/test/a.test.ts': "import 'vitest';\nimport 'pino';",
    });
    expect(dependencyErrors(graph).map((error) => error.split(',')[0])).toEqual([
      'packages/layout/src/a.ts:1: imports vitest',
      'packages/layout/test/a.test.ts:2: imports pino',
    ]);
  });
});

describe('file size', () => {
  it('notes hand-written files above the limit only', () => {
    const graph = graphOf({
      'packages/layout/src/long.ts': '\n'.repeat(401),
      'packages/layout/src/fits.ts': '\n'.repeat(400),
      'packages/layout/src/gen/long.ts': '\n'.repeat(900),
    });
    expect(longFiles(graph)).toEqual(['packages/layout/src/long.ts: 401 lines (look for a split above 400)']);
  });
});

describe('commit message', () => {
  it('accepts a short subject with a body', () => {
    expect(messageErrors('engine: park idle pollers\n\nThey are woken on their next boundary.')).toEqual([]);
  });

  it('names each fault', () => {
    expect(messageErrors('')).toEqual(['the subject is empty']);
    expect(messageErrors(`x: ${'y'.repeat(70)}`)[0]).toContain('73 characters');
    expect(messageErrors('x: do it.\nat once')).toEqual([
      'the subject ends with a full stop',
      'the second line is not blank',
    ]);
  });
});
