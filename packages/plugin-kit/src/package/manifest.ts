import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PLUGIN_NAME } from '@vhostlab/backend-sdk';
import { z } from 'zod';

/** Name of the file that makes a folder a plugin's package. */
export const MANIFEST_FILE = 'vhostlab-plugin.json';

/** A wrong package, address or option; the message is one sentence that names it and the mend. */
export class PluginUsageError extends Error {
  override readonly name = 'PluginUsageError';
  readonly exitCode = 2;
}

const schema = z.strictObject({
  name: z.string().regex(PLUGIN_NAME, 'use lower-case letters, digits and hyphens, 63 at most'),
  depth: z.enum(['device', 'burst']),
  /** Module whose default export is the plugin. */
  module: z.string().min(1).optional(),
  /** Program and arguments that serve a burst plugin and print the handshake line. */
  command: z.array(z.string().min(1)).min(1).optional(),
});

/** What a package says of itself, with its folder. */
export interface Manifest {
  readonly folder: string;
  readonly name: string;
  readonly depth: 'device' | 'burst';
  /** Absolute path of its module. */
  readonly module?: string;
  readonly command?: readonly string[];
}

/** Reads the manifest of the package in `folder`. Throws PluginUsageError. */
export function readManifest(folder: string): Manifest {
  const path = join(resolve(folder), MANIFEST_FILE);
  const fail = (why: string): never => {
    throw new PluginUsageError(`${path}: ${why}`);
  };
  if (!existsSync(path))
    fail('there is no such file; name the folder of a plugin, or make one: vhostlab plugin new NAME');
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return fail(`it is not JSON: ${(error as Error).message}`);
  }
  const result = schema.safeParse(json);
  if (!result.success) {
    const [{ path: at, message }] = result.error.issues as [(typeof result.error.issues)[number]];
    return fail(`${at.join('.') || 'it'}: ${message}`);
  }
  const { name, depth, module, command } = result.data;
  if ((module === undefined) === (command === undefined)) fail('give either module or command');
  if (depth === 'device' && module === undefined)
    fail('a device plugin needs module: its cores run in the host');
  return {
    folder: resolve(folder),
    name,
    depth,
    ...(module === undefined ? {} : { module: join(resolve(folder), module) }),
    ...(command === undefined ? {} : { command }),
  };
}
