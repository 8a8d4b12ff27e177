import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publishedSchemas } from '../../packages/lab/src/lab-file/published.ts';
import { compareFolder, type Difference } from './generate.ts';

/** Folder of the published JSON Schemas, relative to the workspace; it holds nothing else. */
export const SCHEMA_FOLDER = 'schemas';

/**
 * Compares `schemas/` with what the program's own schemas publish, and makes it equal unless `check` is set. Returns
 * what differed.
 */
export async function generateSchemas(root: string, check: boolean): Promise<Difference[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'vhostlab-schemas-'));
  try {
    for (const { file, schema } of publishedSchemas()) {
      await writeFile(join(scratch, file), `${JSON.stringify(schema, null, 2)}\n`);
    }
    return await compareFolder(root, SCHEMA_FOLDER, scratch, check);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
