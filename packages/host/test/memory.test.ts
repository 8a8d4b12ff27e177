import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import {
  F_SEAL_SHRINK,
  type Fd,
  fdFacts,
  HostError,
  memfd,
  pipe,
  reserveArena,
  resize,
} from '../src/index.ts';

const open: Fd[] = [];
afterEach(() => {
  for (const fd of open.splice(0)) fd.close();
});

function file(bytes: number, options = {}): Fd {
  const fd = memfd('test', bytes, options);
  open.push(fd);
  return fd;
}

describe('MappedArena', () => {
  it('reserves far more addresses than there is memory, aligned to the largest page', () => {
    const arena = reserveArena(64 * 2 ** 30);
    expect(arena.buffer.byteLength).toBe(64 * 2 ** 30);
    expect(arena.address % 2 ** 30).toBe(0);
    arena.release();
  });

  it('shows one file at two offsets, and what is written at one is read at the other', () => {
    const arena = reserveArena(2 ** 20);
    const fd = file(8192);
    arena.mapFile(4096, fd, 0, 8192);
    arena.mapFile(65536, fd, 4096, 4096);
    const u16 = new Uint16Array(arena.buffer);
    Atomics.store(u16, (4096 + 4096) / 2, 0xbeef);
    expect(Atomics.load(u16, 65536 / 2)).toBe(0xbeef);
    arena.unmap(4096, 8192);
    expect(u16[65536 / 2]).toBe(0xbeef);
    arena.release();
  });

  it('shows private zeroed memory, and zeroes again after it was unmapped', () => {
    const arena = reserveArena(2 ** 20);
    const u8 = new Uint8Array(arena.buffer);
    arena.mapAnonymous(8192, 4096);
    expect(u8[8192]).toBe(0);
    u8[8192] = 1;
    arena.unmap(8192, 4096);
    arena.mapAnonymous(8192, 4096);
    expect(u8[8192]).toBe(0);
    arena.release();
  });

  it('is the same memory in a worker thread', async () => {
    const arena = reserveArena(2 ** 20);
    arena.mapFile(0, file(4096), 0, 4096);
    const words = new Int32Array(arena.buffer);
    const worker = new Worker(new URL('./attach-worker.ts', import.meta.url), {
      workerData: { address: arena.address, sizeBytes: arena.sizeBytes },
    });
    await new Promise((resolve) => worker.once('exit', resolve));
    expect(Atomics.load(words, 3)).toBe(77);
    arena.release();
  });

  it.each([
    ['a part of a page', 100, 4096],
    ['no bytes', 4096, 0],
    ['more than there is', 4096, 2 ** 20],
    ['an offset below 0', -4096, 4096],
  ])('throws on %s: that is our own fault', (_, offset, bytes) => {
    const arena = reserveArena(2 ** 20);
    expect(() => arena.mapAnonymous(offset, bytes)).toThrow(RangeError);
    arena.release();
  });

  it('says which call failed on what when a descriptor cannot be mapped', () => {
    const arena = reserveArena(2 ** 20);
    const [reader, writer] = pipe();
    open.push(reader, writer);
    expect(() => arena.mapFile(0, reader, 0, 4096)).toThrow(/^mmap pipe: E/);
    arena.release();
  });
});

describe('memfd', () => {
  it('tells size, kind and page size', () => {
    const fd = file(12345);
    expect(fdFacts(fd)).toMatchObject({ kind: 'file', sizeBytes: 12345, pageBytes: 4096, seals: 0 });
    const copy = fd.dup();
    open.push(copy);
    expect(fdFacts(copy).identity).toBe(fdFacts(fd).identity);
    expect(fdFacts(file(12345)).identity).not.toBe(fdFacts(fd).identity);
    const [reader, writer] = pipe();
    open.push(reader, writer);
    expect(fdFacts(reader).kind).toBe('pipe');
  });

  it('keeps its size when it is sealed', () => {
    const fd = file(8192, { seals: F_SEAL_SHRINK });
    expect(fdFacts(fd).seals).toBe(F_SEAL_SHRINK);
    expect(() => resize(fd, 4096)).toThrow(HostError);
    resize(fd, 16384);
    expect(fdFacts(fd).sizeBytes).toBe(16384);
  });

  it('leaves no descriptor behind when pages of that size do not exist', () => {
    expect(() => file(4096, { hugePageBytes: 2 ** 40 })).toThrow(/memfd_create/);
  });
});
