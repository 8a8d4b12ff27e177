import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { PeerProcess, waitUntil } from '../../../tools/peers/index.ts';

const root = join(import.meta.dirname, '../../..');

/** Runs a program to its end and answers what it wrote; throws when it fails. */
export function program(
  file: string,
  args: readonly string[],
  { cwd = root, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): string {
  return execFileSync(file, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

function hasDocker(): boolean {
  try {
    program('docker', ['info']);
    return true;
  } catch {
    return false;
  }
}

/** A Docker daemon, ours where there is none, with the images of this workspace. Answers what ends it. */
export async function startDocker(): Promise<() => Promise<void>> {
  let daemon: PeerProcess | undefined;
  if (!hasDocker()) {
    daemon = await PeerProcess.start({ name: 'dockerd', program: 'dockerd', args: [] });
    await waitUntil(hasDocker, 'a Docker daemon');
  }
  program(join(root, 'docker/base-image'), []);
  program(join(root, 'docker/build'), []);
  return async () => daemon?.stop();
}

/** Containers and networks of a compose project that are there, as one text. */
export function leftOf(project: string): string {
  const containers = program('docker', ['ps', '-aq', '--filter', `name=${project}`]);
  return `${containers}${program('docker', ['network', 'ls', '-q', '--filter', `name=${project}`])}`;
}
