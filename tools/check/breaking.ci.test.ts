import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { breakingErrors } from './breaking.ts';

const root = join(import.meta.dirname, '../..');
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A copy of the contracts with one text of one file replaced. */
function changed(file: string, from: string, to: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'vhostlab-protos-'));
  folders.push(folder);
  cpSync(join(root, 'proto'), folder, { recursive: true });
  writeFileSync(join(folder, 'buf.yaml'), 'version: v2\n');
  const path = join(folder, 'vhostlab', file);
  const text = readFileSync(path, 'utf8');
  expect(text).toContain(from);
  writeFileSync(path, text.replace(from, to));
  return folder;
}

describe('the contracts of plugins', () => {
  it('break nothing of the frozen ones', async () => {
    expect(await breakingErrors(root)).toEqual([]);
  });

  it.each([
    [
      'a number',
      'backend/v1/burst.proto',
      'uint64 sequence = 2;',
      'uint64 sequence = 9;',
      '"2" with name "sequence"',
    ],
    ['a type', 'backend/v1/burst.proto', 'uint64 delay_ps = 3;', 'double delay_ps = 3;', '"delay_ps"'],
    ['a call', 'backend/v1/backend.proto', 'rpc Describe(', 'rpc Explain(', '"Describe"'],
  ])('may not lose or change %s', async (_, file, from, to, says) => {
    expect((await breakingErrors(root, changed(file, from, to))).join('\n')).toContain(says);
  });

  it('may gain a field', async () => {
    const more = 'uint64 sequence = 2;\n  // More.\n  uint32 more = 77;';
    expect(
      await breakingErrors(root, changed('backend/v1/burst.proto', 'uint64 sequence = 2;', more)),
    ).toEqual([]);
  });
});
