import { describe, expect, it } from 'vitest';
import { fdFacts, memfd, openDescriptors, pidfdGetfd, pidfdOpen, startChild } from '../src/index.ts';

describe('descriptors of another process', () => {
  it('are copied, and are the same file', async () => {
    const file = memfd('vhostlab-given', 4096);
    const child = await startChild('sleep', ['60'], { fds: [file.number] });
    const before = openDescriptors();
    const process = pidfdOpen(child.pid);
    const copy = pidfdGetfd(process, 3);
    expect(fdFacts(copy).identity).toBe(fdFacts(file).identity);
    expect(() => pidfdGetfd(process, 99)).toThrow(/pidfd_getfd pidfd \d+ fd 99: EBADF/);
    copy.close();
    process.close();
    expect(openDescriptors()).toBe(before);
    child.kill('SIGKILL');
    await child.exited;
    file.close();
  });

  it('need a process', () => {
    expect(() => pidfdOpen(2 ** 22)).toThrow('pidfd_open process 4194304: ');
  });
});
