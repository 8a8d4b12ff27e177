import { chmodSync, readFileSync } from 'node:fs';

/**
 * Whether a process listens on a Unix socket; a file that a dead one left behind does not count. The kernel lists the
 * sockets of one network namespace: that of process `pid`.
 */
export function isListening(path: string, pid: number): boolean {
  let sockets: string;
  try {
    sockets = readFileSync(`/proc/${pid}/net/unix`, 'utf8');
  } catch {
    return false;
  }
  return sockets.split('\n').some((line) => line.endsWith(` ${path}`) && line.split(/\s+/)[3] === '00010000');
}

/** Whether it listens; then the socket is its owner's alone (mode 0600). */
export function isListeningAlone(path: string, pid: number): boolean {
  if (!isListening(path, pid)) return false;
  chmodSync(path, 0o600);
  return true;
}
