import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { promisify } from 'node:util';
import type { LabFolder } from './lab-folder.ts';
import { thisProcess } from './lab-lock.ts';

const run = promisify(execFile);

/** Label of a container: the folder of its lab, of which there is one on a machine. */
const FOLDER_LABEL = 'dev.vhostlab.folder';

/** Label of a container: the process whose lab it belongs to, so that nobody removes those of its next life. */
const OWNER_LABEL = 'dev.vhostlab.owner';

/** Removes the containers and networks with the label $1; prints the containers. */
const REMOVE = `docker ps -aq --filter "label=$1" | while read -r id; do docker rm -f "$id" 2>/dev/null; done
docker network ls -q --filter "label=$1" | while read -r id; do docker network rm "$id" >/dev/null 2>&1; done`;
/**
 * Waits for the end of its input, whatever way that comes, and removes; a docker-compose that was at work then may still
 * make some.
 */
const REAP = `cat >/dev/null
for i in 1 2 3; do
${REMOVE}
sleep 2
done`;

/** Name of the compose project of a lab: another lab of the same name in another folder has another one. */
export function projectOf({ name, path }: LabFolder): string {
  return `vhostlab-${name}-${createHash('sha256').update(path).digest('hex').slice(0, 8)}`;
}

/** Labels of the containers and networks that this process makes for a lab. */
export function labelsOf({ path }: LabFolder): Record<string, string> {
  const { pid, started } = thisProcess();
  return { [FOLDER_LABEL]: path, [OWNER_LABEL]: `${pid}-${started}` };
}

/** Removes the containers and networks that a lab which is gone has left. Answers how many containers there were. */
export async function removeLeftContainers(folder: LabFolder): Promise<number> {
  const { stdout } = await run('/bin/sh', [
    '-c',
    REMOVE,
    'vhostlab-remove',
    `${FOLDER_LABEL}=${folder.path}`,
  ]);
  return stdout.split('\n').filter((line) => line !== '').length;
}

/**
 * Removes the containers of a lab when this process has ended, even by SIGKILL: a shell in a session of its own that holds
 * the other end of a pipe.
 */
export class ContainerReaper {
  readonly #child: ChildProcess;

  constructor(folder: LabFolder) {
    const label = `${OWNER_LABEL}=${labelsOf(folder)[OWNER_LABEL]}`;
    this.#child = spawn('/bin/sh', ['-c', REAP, 'vhostlab-reaper', label], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
    });
    this.#child.on('error', () => undefined);
    this.#child.stdin?.on('error', () => undefined);
  }

  /** Ends it: the lab has removed its containers itself. */
  async end(): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    process.kill(-child.pid, 'SIGKILL');
    await ended;
  }
}
