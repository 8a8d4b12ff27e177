import { describe, expect, it } from 'vitest';
import {
  eventFd,
  eventFdId,
  isEventFd,
  isNonBlocking,
  memfd,
  pipe,
  processDescriptor,
  processDescriptors,
  processIds,
  processMappings,
  reserveArena,
  setNonBlocking,
  sharesFile,
  signalEvent,
} from '../src/index.ts';

describe('what a descriptor is', () => {
  it('tells eventfds, and whether they wait', () => {
    const event = eventFd();
    const [read, write] = pipe();
    const file = memfd('some', 4096);
    expect([event, read, write, file].map(isEventFd)).toEqual([true, false, false, false]);
    expect(isNonBlocking(event)).toBe(true);
    setNonBlocking(read);
    expect(isNonBlocking(read)).toBe(true);
    for (const fd of [event, read, write, file]) fd.close();
    expect(isEventFd(event)).toBe(false);
  });
});

describe('descriptors and mappings of a process', () => {
  it('shows targets and counts', () => {
    const event = eventFd();
    const file = memfd('vhostlab-seen', 8192);
    signalEvent(event.number);
    signalEvent(event.number);
    const all = processDescriptors(process.pid)!;
    const found = (number: number) => all.find((each) => each.number === number)!;
    expect(found(event.number)).toMatchObject({ target: 'anon_inode:[eventfd]' });
    expect(found(event.number).info.get('eventfd-count')?.trim()).toBe('2');
    expect(found(event.number).info.get('eventfd-id')?.trim()).toBe(eventFdId(event));
    expect(eventFdId(file)).toBeUndefined();
    expect(processIds()).toContain(process.pid);
    expect(found(file.number).target).toBe('/memfd:vhostlab-seen (deleted)');
    const arena = reserveArena(8192);
    arena.mapFile(0, file, 4096, 4096);
    const mapping = processMappings(process.pid)!.find(({ start }) => start === arena.address)!;
    expect(mapping).toMatchObject({
      end: arena.address + 4096,
      permissions: 'rw-s',
      fileOffset: 4096,
      path: '/memfd:vhostlab-seen (deleted)',
    });
    expect(sharesFile(process.pid, new Set([mapping.inode]))).toBe(true);
    expect(sharesFile(process.pid, new Set([mapping.inode + 1_000_000]))).toBe(false);
    arena.release();
    expect(sharesFile(process.pid, new Set([mapping.inode]))).toBe(false);
    event.close();
    file.close();
    expect(processDescriptor(process.pid, event.number)?.target).not.toBe('anon_inode:[eventfd]');
  });

  it('has nothing to say about a process that is not there', () => {
    expect(processDescriptors(2 ** 22)).toBeUndefined();
    expect(processMappings(2 ** 22)).toBeUndefined();
    expect(sharesFile(2 ** 22, new Set([1]))).toBe(false);
  });
});
