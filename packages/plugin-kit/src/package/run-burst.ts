import { type BurstPlugin, serveBurstPlugin } from '@vhostlab/backend-sdk';
import { importPlugin } from './import-plugin.ts';
import { readManifest } from './manifest.ts';

// the program that serves a burst plugin of a package with a module: one argument, its folder
await serveBurstPlugin((await importPlugin(readManifest(process.argv[2] ?? '.'))) as BurstPlugin);
