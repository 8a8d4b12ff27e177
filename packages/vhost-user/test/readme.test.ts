import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BACKEND_MESSAGES, FRONT_MESSAGES, MAY_STAY_SILENT } from '../src/index.ts';

test('the table of silent refusals in the README is the one of the code', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const table = readme.slice(readme.indexOf('why silence does no harm'));
  const rows = [...table.matchAll(/^\| ([A-Z_]+) \| (.+) \|$/gm)].map(([, name, why]) => [name, why]);
  expect(new Map(rows as [string, string][])).toEqual(new Map(Object.entries(MAY_STAY_SILENT)));
});

test('a back end handles every message that network devices need or use, save postcopy', () => {
  const missing = FRONT_MESSAGES.filter((row) => row.net !== '-' && !BACKEND_MESSAGES.includes(row));
  expect(missing.map(({ name }) => name)).toEqual(['POSTCOPY_ADVISE', 'POSTCOPY_LISTEN', 'POSTCOPY_END']);
});
