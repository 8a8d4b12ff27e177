import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generateSchemas } from './schemas.ts';

const workspace = new URL('../..', import.meta.url).pathname;
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vhostlab-test-'));
});
afterEach(() => rm(root, { recursive: true }));

describe('published schemas', () => {
  it('are those that are committed', async () => {
    expect(await generateSchemas(workspace, true)).toEqual([]);
  });

  it('are written where missing, mended where edited, and removed where left over', async () => {
    await generateSchemas(root, false);
    const file = 'schemas/lab-v1.schema.json';
    const written = await readFile(join(root, file), 'utf8');
    expect(JSON.parse(written).$id).toBe('https://vhostlab.dev/schemas/lab-v1.schema.json');
    expect(await generateSchemas(root, true)).toEqual([]);
    await writeFile(join(root, file), '{}\n');
    await mkdir(join(root, 'schemas'), { recursive: true });
    await writeFile(join(root, 'schemas/old-v0.schema.json'), '{}\n');
    const differences = [
      { file, how: 'out of date' },
      { file: 'schemas/old-v0.schema.json', how: 'left over' },
    ];
    expect(await generateSchemas(root, true)).toEqual(differences);
    expect(await generateSchemas(root, false)).toEqual(differences);
    expect(await readFile(join(root, file), 'utf8')).toBe(written);
  });
});
