import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readSourceGraph, type SourceGraph } from './source-graph.ts';

/** Reads the graph of a workspace written for one test: file contents by path; package.json files are added. */
export function graphOf(files: Readonly<Record<string, string>>): SourceGraph {
  const root = mkdtempSync(join(tmpdir(), 'vhostlab-check-'));
  try {
    write(root, 'package.json', JSON.stringify({ name: 'w', devDependencies: { vitest: '1' } }));
    for (const path of Object.keys(files)) {
      const folder = /^packages\/([^/]+)\//.exec(path)?.[1];
      if (folder !== undefined) {
        write(
          root,
          `packages/${folder}/package.json`,
          JSON.stringify({ name: `@vhostlab/${folder}`, exports: { '.': './src/index.ts' } }),
        );
        write(root, `packages/${folder}/src/index.ts`, '');
      }
    }
    for (const [path, text] of Object.entries(files)) {
      write(root, path, text);
    }
    return readSourceGraph(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

function write(root: string, path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
