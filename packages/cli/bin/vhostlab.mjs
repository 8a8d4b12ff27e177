#!/usr/bin/env node
import module from 'node:module';
import { nodeVersionFault } from './node-version.mjs';

const fault = nodeVersionFault(process.versions.node);
if (fault === null) {
  // halves the start of every command but the first; a run in processes starts four
  module.enableCompileCache();
  const { main } = await import('../src/index.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.stderr.write(`vhostlab: ${fault}\n`);
  process.exitCode = 2;
}
