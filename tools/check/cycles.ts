import type { SourceGraph } from './source-graph.ts';

/**
 * Import cycles between files, type imports included, one sentence each. Every strongly connected group is
 * reported once, as a shortest cycle through its first file.
 */
export function cycleErrors(graph: SourceGraph): string[] {
  const edges = new Map<string, string[]>();
  for (const file of graph.files) {
    edges.set(file.path, [
      ...new Set(file.imports.flatMap(({ target }) => (target === null ? [] : [target]))),
    ]);
  }
  return connectedGroups(edges).map((group) => {
    const cycle = shortestCycle(group, edges);
    return `import cycle of ${group.length} file(s): ${cycle.join(' -> ')}`;
  });
}

/** Tarjan's strongly connected groups that hold a cycle, each sorted, in order of their first file. */
function connectedGroups(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const onStack = new Set<string>();
  const stack: string[] = [];
  const groups: string[][] = [];
  const visit = (node: string): void => {
    index.set(node, index.size);
    low.set(node, index.get(node)!);
    stack.push(node);
    onStack.add(node);
    for (const next of edges.get(node) ?? []) {
      if (!index.has(next)) {
        visit(next);
        low.set(node, Math.min(low.get(node)!, low.get(next)!));
      } else if (onStack.has(next)) {
        low.set(node, Math.min(low.get(node)!, index.get(next)!));
      }
    }
    if (low.get(node) === index.get(node)) {
      const group = stack.splice(stack.indexOf(node));
      for (const member of group) {
        onStack.delete(member);
      }
      if (group.length > 1 || (edges.get(node) ?? []).includes(node)) {
        groups.push(group.sort());
      }
    }
  };
  for (const node of edges.keys()) {
    if (!index.has(node)) {
      visit(node);
    }
  }
  return groups.sort((a, b) => (a[0]! < b[0]! ? -1 : 1));
}

function shortestCycle(group: readonly string[], edges: ReadonlyMap<string, readonly string[]>): string[] {
  const start = group[0]!;
  const members = new Set(group);
  const paths: string[][] = [[start]];
  const seen = new Set<string>();
  for (let at = 0; at < paths.length; at += 1) {
    const path = paths[at]!;
    for (const next of edges.get(path.at(-1)!) ?? []) {
      if (next === start) {
        return [...path, start];
      }
      if (members.has(next) && !seen.has(next)) {
        seen.add(next);
        paths.push([...path, next]);
      }
    }
  }
  throw new Error(`${start} is in a connected group without a cycle`);
}
