import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { isGenerated, isTest, type SourceGraph } from './source-graph.ts';

/** A file longer than this is worth splitting. */
export const REVIEW_LINES = 400;

const NODE_MODULES = new Set(builtinModules);

/** Packages whose README.md is missing or says nothing. */
export function readmeErrors(graph: SourceGraph): string[] {
  return graph.packages.flatMap((name) => {
    const path = join(graph.root, 'packages', name, 'README.md');
    if (!existsSync(path)) {
      return [`packages/${name}: README.md is missing`];
    }
    return readFileSync(path, 'utf8').trim().length < 80 ? [`packages/${name}: README.md says nothing`] : [];
  });
}

/** Hand-written files above the review limit, longest first; a note, not a fault. */
export function longFiles(graph: SourceGraph): string[] {
  return graph.files
    .filter((file) => !isGenerated(file.path))
    .map((file) => ({ path: file.path, lines: file.text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > REVIEW_LINES)
    .sort((a, b) => b.lines - a.lines)
    .map(({ path, lines }) => `${path}: ${lines} lines (look for a split above ${REVIEW_LINES})`);
}

/**
 * Where package.json and imports disagree: an import that is not declared, a dependency that nothing uses.
 * Tests may also use the development dependencies of the root; tools use those and any workspace package.
 * A dependency counts as used when a string literal names it, because assets are found by `import.meta.resolve`.
 */
export function dependencyErrors(graph: SourceGraph): string[] {
  const errors: string[] = [];
  const shared = new Set(Object.keys(graph.manifests.get('.')!.devDependencies));
  for (const file of graph.files) {
    const manifest = graph.manifests.get(file.owner === 'tools' ? '.' : file.owner)!;
    for (const { specifier, line } of file.imports) {
      const name = packageName(specifier);
      if (name === null || name === manifest.name || Object.hasOwn(manifest.dependencies, name)) {
        continue;
      }
      const isToolOrTest = file.owner === 'tools' || isTest(file.path);
      const isAllowedThere =
        Object.hasOwn(manifest.devDependencies, name) ||
        shared.has(name) ||
        (file.owner === 'tools' && name.startsWith('@vhostlab/'));
      if (!(isToolOrTest && isAllowedThere)) {
        errors.push(`${file.path}:${line}: imports ${name}, which its package.json does not declare`);
      }
    }
  }
  for (const folder of graph.packages) {
    const texts = graph.files.filter((file) => file.owner === folder).map((file) => file.text);
    const unused = Object.keys(graph.manifests.get(folder)!.dependencies).filter((name) => {
      const literal = new RegExp(`['"\`]${name.replaceAll('.', '\\.')}['"\`/]`);
      return !texts.some((text) => literal.test(text));
    });
    if (unused.length > 0) {
      errors.push(`packages/${folder}/package.json: nothing there imports ${unused.join(', ')}`);
    }
  }
  return errors;
}

/** Name of the package that a specifier asks for; null for relative paths, node modules and own `#` imports. */
function packageName(specifier: string): string | null {
  if (/^[.#/]/.test(specifier) || specifier.startsWith('node:') || NODE_MODULES.has(specifier)) {
    return null;
  }
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
}
