import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scratch } from './command.ts';

const BIN = join(import.meta.dirname, '..', 'bin', 'vhostlab.mjs');
/** Writes the names of the packages that were loaded into a file when the process ends. */
const SPY = `data:text/javascript,${encodeURIComponent(`
import { registerHooks } from 'node:module';
import { writeFileSync } from 'node:fs';
const loaded = new Set();
registerHooks({
  load(url, context, next) {
    const [, name] = /.*node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url) ?? /\\/packages\\/([^/]+)\\//.exec(url) ?? [];
    if (name !== undefined) loaded.add(name);
    return next(url, context);
  },
});
process.on('exit', () => writeFileSync(process.env.LOADED, JSON.stringify([...loaded])));
`)}`;

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => scratch.remove());

/** Packages that a service has loaded when it listens. */
async function loadedBy(...words: string[]): Promise<string[]> {
  const file = scratch.file('loaded.json');
  const child = spawn(
    process.execPath,
    [
      '--import',
      SPY,
      BIN,
      'serve',
      ...words,
      '--listen',
      `unix:${scratch.file('s.sock')}`,
      '--exit-with-stdin',
    ],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, LOADED: file } },
  );
  child.stdout.once('data', () => child.stdin.end());
  await new Promise((resolve) => child.on('exit', resolve));
  return JSON.parse(readFileSync(file, 'utf8')) as string[];
}

describe('vhostlab serve', () => {
  it('loads its own part of the lab, and no spans that nobody wants', async () => {
    const loaded = await loadedBy('switch');
    expect(loaded).toEqual(expect.arrayContaining(['switch', 'engine', 'contracts', '@grpc/grpc-js']));
    for (const name of [
      'guest',
      'nic',
      'backend-vhost-user',
      'trace',
      'web',
      'yaml',
      '@opentelemetry/sdk-trace',
    ])
      expect(loaded, name).not.toContain(name);
    expect(await loadedBy('station', '--spans')).toEqual(
      expect.arrayContaining(['nic', '@opentelemetry/sdk-trace']),
    );
  });
});
