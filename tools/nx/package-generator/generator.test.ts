import { createTree } from '@nx/devkit/testing';
import { describe, expect, it } from 'vitest';
import generatePackage from './generator.ts';

describe('the package generator', () => {
  it('writes a manifest at the version of the workspace, a README and an index', () => {
    const tree = createTree();
    tree.write('package.json', '{"version":"3.2.1"}');
    generatePackage(tree, { name: 'gadget', description: 'A thing' });
    expect(JSON.parse(tree.read('packages/gadget/package.json', 'utf8')!)).toMatchObject({
      name: '@vhostlab/gadget',
      version: '3.2.1',
      description: 'A thing',
      exports: { '.': './src/index.ts' },
    });
    expect(tree.read('packages/gadget/README.md', 'utf8')).toContain('npx vitest run packages/gadget');
    expect(tree.exists('packages/gadget/src/index.ts')).toBe(true);
  });

  it('refuses a name that is taken and leaves the folder alone', () => {
    const tree = createTree();
    tree.write('package.json', '{"version":"1.0.0"}');
    tree.write('packages/layout/README.md', 'mine');
    expect(() => generatePackage(tree, { name: 'layout', description: 'x' })).toThrow(
      'packages/layout exists',
    );
    expect(tree.read('packages/layout/README.md', 'utf8')).toBe('mine');
  });
});
