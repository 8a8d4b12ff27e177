import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  closeAll,
  peerProcess,
  pipe,
  processFacts,
  setBlocking,
  setNonBlocking,
  UnixListener,
  UnixSocket,
} from '../src/index.ts';

describe('peerProcess', () => {
  it('names the process that listens', () => {
    const folder = mkdtempSync(join(tmpdir(), 'peer-process-'));
    const listener = UnixListener.listen(join(folder, 's'));
    const socket = UnixSocket.connect(join(folder, 's'));
    expect(peerProcess(socket.fd)).toBe(process.pid);
    socket.close();
    expect(() => peerProcess(socket.fd)).toThrow(/SO_PEERCRED/);
    listener.close();
    rmSync(folder, { recursive: true });
  });
});

describe('processFacts', () => {
  it('answers figures of a process, and nothing of one that does not exist', () => {
    const facts = processFacts(process.pid);
    if (facts === undefined) throw new Error('nothing about this process');
    expect(facts.name).toBe(basename(process.execPath));
    expect(facts.descriptors).toBeGreaterThan(2);
    expect(facts.mappings).toBeGreaterThan(20);
    expect(facts.residentBytes).toBeGreaterThan(2 ** 22);
    expect(processFacts(2 ** 30)).toBeUndefined();
  });
});

describe('setBlocking', () => {
  it('takes O_NONBLOCK away, and setNonBlocking sets it', () => {
    const [read, write] = pipe();
    const isNonBlocking = (): boolean => {
      const [, octal] = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${read.number}`, 'utf8')) ?? [];
      return (Number.parseInt(octal, 8) & 0o4000) !== 0;
    };
    expect(isNonBlocking()).toBe(true);
    setBlocking(read);
    expect(isNonBlocking()).toBe(false);
    setNonBlocking(read);
    expect(isNonBlocking()).toBe(true);
    closeAll([read, write]);
  });
});
