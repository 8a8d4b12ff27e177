import { readFileSync } from 'node:fs';

/** Whether a process is stopped (SIGSTOP): it is there, and does nothing. */
export function isStopped(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.startsWith('T') === true;
  } catch {
    return false;
  }
}
