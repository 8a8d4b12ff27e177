import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import type { Scratch } from './command.ts';

const SCHEMAS = join(import.meta.dirname, '..', '..', '..', 'schemas');

/** What is wrong with a value by a published schema; undefined when nothing is. */
export function faultsBy(schema: string, value: unknown): unknown {
  const published = JSON.parse(readFileSync(join(SCHEMAS, `${schema}.schema.json`), 'utf8'));
  return z.fromJSONSchema(published).safeParse(value).error;
}

/** Expects the run folder of a run that was interrupted. */
export function expectInterrupted(scratch: Scratch, out: string): void {
  const described = scratch.json(out, 'run.json');
  expect(faultsBy('run-v1', described)).toBeUndefined();
  expect(described).toMatchObject({
    state: 'incomplete',
    error: 'interrupted',
    finished_at: expect.any(String),
  });
  expect(existsSync(scratch.file(out, 'summary.json'))).toBe(false);
  expect(scratch.leftovers()).toEqual([]);
}
