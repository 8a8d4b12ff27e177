import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Waits for the end of its input, whatever way that comes, and removes the folder; what dies at that moment may still write. */
const SCRIPT = 'cat >/dev/null; rm -rf -- "$1"; sleep 0.5; rm -rf -- "$1"';

/**
 * Removes a folder when this process has ended, even by SIGKILL: a shell in a session of its own that holds the other end
 * of a pipe. The kernel ends the lab's programs then; their sockets are in the folder.
 */
export class Reaper {
  readonly #child: ChildProcess;

  constructor(folder: string) {
    this.#child = spawn('/bin/sh', ['-c', SCRIPT, 'vhostlab-reaper', folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
    });
    this.#child.on('error', () => undefined);
    this.#child.stdin?.on('error', () => undefined);
  }

  /** Ends it: the folder has been removed. */
  async end(): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    process.kill(-child.pid, 'SIGKILL');
    await ended;
  }
}
