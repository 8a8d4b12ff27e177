#!/usr/bin/env node
import module from 'node:module';
import { nodeVersionFault } from './node-version.mjs';

const fault = nodeVersionFault(process.versions.node);
if (fault === null) {
  // halves the start of every command but the first; a run in processes starts four
  module.enableCompileCache();
  const { main } = await import('../src/index.ts');
  const status = await main(process.argv.slice(2));
  // a command may have set a status of its own, such as that of a process that it ran
  process.exitCode = status === 0 ? (process.exitCode ?? 0) : status;
} else {
  process.stderr.write(`vhostlab: ${fault}\n`);
  process.exitCode = 2;
}
