#!/usr/bin/env node
import { nodeVersionFault } from './node-version.mjs';

const fault = nodeVersionFault(process.versions.node);
if (fault === null) {
  const { main } = await import('../src/index.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.stderr.write(`vhostlab: ${fault}\n`);
  process.exitCode = 2;
}
