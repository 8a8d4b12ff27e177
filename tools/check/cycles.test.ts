import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cycleErrors } from './cycles.ts';
import type { SourceGraph } from './source-graph.ts';
import { graphOf } from './temp-tree.ts';

function graphFromEdges(nodes: number, pairs: readonly (readonly [number, number])[]): SourceGraph {
  const files = Array.from({ length: nodes }, (_, at) => ({
    path: `f${String(at).padStart(2, '0')}`,
    owner: 'tools',
    text: '',
    imports: pairs
      .filter(([from]) => from === at)
      .map(([, to]) => ({ specifier: '', line: 1, target: `f${String(to).padStart(2, '0')}` })),
  }));
  return { root: '', packages: [], manifests: new Map(), files };
}

/** Whether a node can reach itself, by walking every path: slow and plain. */
function hasCycle(nodes: number, pairs: readonly (readonly [number, number])[]): boolean {
  const reach = (from: number, seen: Set<number>): Set<number> => {
    for (const [a, b] of pairs) {
      if (a === from && !seen.has(b)) {
        seen.add(b);
        reach(b, seen);
      }
    }
    return seen;
  };
  return Array.from({ length: nodes }, (_, at) => at).some((at) => reach(at, new Set()).has(at));
}

describe('import cycles', () => {
  it('names the shortest cycle of a group', () => {
    const graph = graphOf({
      'packages/layout/src/a.ts': "import './b.ts';",
      'packages/layout/src/b.ts': "import './c.ts';\nimport type { X } from './a.ts';\nexport type Y = X;",
      'packages/layout/src/c.ts': "import './a.ts';",
    });
    expect(cycleErrors(graph)).toEqual([
      'import cycle of 3 file(s): packages/layout/src/a.ts -> packages/layout/src/b.ts -> packages/layout/src/a.ts',
    ]);
  });

  it('follows package names through their index', () => {
    const graph = graphOf({
      'packages/layout/src/index.ts': "export { a } from './a.ts';",
      'packages/layout/src/a.ts': "import '@vhostlab/layout';\nexport const a = 1;",
    });
    expect(cycleErrors(graph)).toHaveLength(1);
  });

  it('finds nothing in a diamond', () => {
    expect(
      cycleErrors(
        graphFromEdges(4, [
          [0, 1],
          [0, 2],
          [1, 3],
          [2, 3],
        ]),
      ),
    ).toEqual([]);
  });

  it('agrees with a walk over all paths, and every cycle it names is one', () => {
    const pair = fc.tuple(fc.nat(7), fc.nat(7));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 14 }), (pairs) => {
        const errors = cycleErrors(graphFromEdges(8, pairs));
        expect(errors.length > 0).toBe(hasCycle(8, pairs));
        for (const error of errors) {
          const cycle = error
            .split(': ')[1]!
            .split(' -> ')
            .map((name) => Number(name.slice(1)));
          expect(cycle.at(-1)).toBe(cycle[0]);
          for (let at = 0; at + 1 < cycle.length; at += 1) {
            expect(pairs.some(([from, to]) => from === cycle[at] && to === cycle[at + 1])).toBe(true);
          }
        }
      }),
    );
  });
});
