import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate, type Target } from './generate.ts';

const workspace = new URL('../..', import.meta.url).pathname;
const target: Target = { from: 'packages/contracts/test/proto', to: 'gen' };
const file = 'gen/vhostlab/test/v1/echo_pb.ts';
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'vhostlab-test-'));
  await symlink(join(workspace, 'node_modules'), join(root, 'node_modules'));
  await cp(join(workspace, 'buf.gen.yaml'), join(root, 'buf.gen.yaml'));
  await cp(join(workspace, target.from), join(root, target.from), { recursive: true });
  await writeFile(join(root, 'buf.yaml'), `version: v2\nmodules:\n  - path: ${target.from}\n`);
});
afterAll(() => rm(root, { recursive: true }));

describe('generated code', () => {
  it('is written where it is missing, and then is what is committed', async () => {
    expect(await generate(root, [target], true)).toEqual([{ file, how: 'missing' }]);
    await expect(readFile(join(root, file))).rejects.toThrow('ENOENT');
    expect(await generate(root, [target], false)).toEqual([{ file, how: 'missing' }]);
    expect(await generate(root, [target], true)).toEqual([]);
    const committed = await readFile(join(workspace, 'packages/contracts/test', file), 'utf8');
    expect(await readFile(join(root, file), 'utf8')).toBe(committed);
  });

  it('is told apart when edited by hand or left over, and mended', async () => {
    await writeFile(join(root, file), '// edited\n');
    await writeFile(join(root, 'gen/old_pb.ts'), '');
    const differences = [
      { file: 'gen/old_pb.ts', how: 'left over' },
      { file, how: 'out of date' },
    ];
    expect(await generate(root, [target], true)).toEqual(differences);
    expect(await readFile(join(root, file), 'utf8')).toBe('// edited\n');
    expect(await generate(root, [target], false)).toEqual(differences);
    expect(await generate(root, [target], true)).toEqual([]);
  });
});
