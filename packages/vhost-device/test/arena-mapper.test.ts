import { F_SEAL_SHRINK, memfd, openDescriptors, pipe, reserveArena } from '@vhostlab/host';
import { isMapProblem, type Mapping } from '@vhostlab/vhost-user';
import { afterEach, describe, expect, it } from 'vitest';
import { ArenaMapper, OffsetAllocator } from '../src/index.ts';

const arena = reserveArena(2 ** 26);
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function mapper(): ArenaMapper {
  return new ArenaMapper(arena, new OffsetAllocator(0, arena.sizeBytes));
}

function file(bytes: number, seals = 0) {
  const fd = memfd('peer', bytes, { seals });
  cleanups.push(() => fd.close());
  return fd;
}

function mapped(result: ReturnType<ArenaMapper['map']>): Mapping {
  if (isMapProblem(result)) throw new Error(result.text);
  return result;
}

describe('ArenaMapper', () => {
  it('maps two parts of one file, which are one file, and sees the seal', () => {
    const files = mapper();
    const fd = file(16_384, F_SEAL_SHRINK);
    const a = mapped(files.map({ fd, fileOffset: 0, bytes: 8192, purpose: 'memory' }));
    const b = mapped(files.map({ fd, fileOffset: 4096, bytes: 12_288, purpose: 'memory' }));
    expect(a.file).toBe(b.file);
    expect(a.shrinkSealed).toBe(true);
    const u8 = new Uint8Array(arena.buffer);
    u8[a.arenaOffset + 4096 + 5] = 99;
    expect(u8[b.arenaOffset + 5]).toBe(99);
    files.unmap(a);
    files.unmap(b);
    expect(files.count).toBe(0);
    expect(() => files.unmap(a)).toThrow('twice');
  });

  it('refuses a region beyond the end of its file, where a use would be a SIGBUS', () => {
    const result = mapper().map({ fd: file(8192), fileOffset: 4096, bytes: 8192, purpose: 'memory' });
    expect(result).toMatchObject({ problem: 'beyond-file' });
  });

  it.each([
    ['a pipe', () => pipe()[0], 0, 4096, 'bad-file'],
    ['an offset inside a page', () => file(8192), 100, 4096, 'unaligned'],
    ['more than the arena', () => file(2 ** 27), 0, 2 ** 27, 'no-room'],
  ])('refuses %s', (_, open, fileOffset, bytes, problem) => {
    const files = mapper();
    const fd = open();
    cleanups.push(() => fd.close());
    expect(files.map({ fd, fileOffset, bytes, purpose: 'memory' })).toMatchObject({ problem });
    expect(files.count).toBe(0);
  });

  it('refuses a descriptor that is closed', () => {
    const fd = memfd('gone', 4096);
    fd.close();
    const result = mapper().map({ fd, fileOffset: 0, bytes: 4096, purpose: 'memory' });
    expect(result).toMatchObject({ problem: 'bad-file' });
  });

  it('makes shared memory that cannot shrink, and leaves nothing behind', () => {
    const before = openDescriptors();
    const files = mapper();
    const made = files.create('inflight', 4096);
    if (isMapProblem(made)) throw new Error(made.text);
    expect(made.mapping.shrinkSealed).toBe(true);
    files.unmap(made.mapping);
    made.fd.close();
    expect(openDescriptors()).toBe(before);
  });
});
