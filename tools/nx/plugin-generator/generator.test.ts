import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTree } from '@nx/devkit/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newPlugin } from '../../../packages/plugin-kit/src/index.ts';
import generatePlugin from './generator.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-generator-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function treeOf(version: string) {
  const tree = createTree();
  tree.write('package.json', JSON.stringify({ version }));
  return tree;
}

describe('the plugin generator', () => {
  it.each([
    ['burst', 'ts'],
    ['device', 'ts'],
    ['burst', 'python'],
  ] as const)('writes what plugin new writes: %s, %s', (depth, lang) => {
    const tree = treeOf('3.2.1');
    generatePlugin(tree, { name: 'gadget', depth, lang, folder: 'some/where' });
    const made = newPlugin({ name: 'gadget', depth, language: lang, parent: folder, version: '3.2.1' });
    const written = tree.listChanges().map(({ path }) => path);
    expect(written.filter((path) => path.startsWith('some/')).sort()).toEqual(
      made.map((path) => `some/where/${path}`).sort(),
    );
    for (const path of made) {
      expect(tree.read(`some/where/${path}`, 'utf8')).toBe(readFileSync(join(folder, path), 'utf8'));
    }
  });

  it('refuses a folder that is there, and a device plugin in Python', () => {
    const tree = treeOf('1.0.0');
    tree.write('examples/plugins/impair/index.ts', 'mine');
    expect(() => generatePlugin(tree, { name: 'impair' })).toThrow('examples/plugins/impair exists');
    expect(tree.read('examples/plugins/impair/index.ts', 'utf8')).toBe('mine');
    expect(() => generatePlugin(tree, { name: 'x', depth: 'device', lang: 'python' })).toThrow(
      'a device plugin is TypeScript',
    );
  });
});
