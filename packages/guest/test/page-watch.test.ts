import { createArena, PageSet } from '@vhostlab/memory';
import { DirectPublisher } from '@vhostlab/virtqueue';
import { describe, expect, it } from 'vitest';
import { PageWatch } from '../src/migrate/page-watch.ts';

const PAGE = 4096;
const BASE = 4 * PAGE;
const PAGES = 8;

function pagesOf(log: Uint8Array): number[] {
  const set = new PageSet(PAGES * PAGE);
  set.addLog(log);
  return Array.from({ length: PAGES }, (_, page) => page).filter((page) => set.has(page));
}

describe('pages that a vCPU writes', () => {
  it('are noted from the moment that somebody asks, words and bytes alike, and published as ever', () => {
    const arena = createArena(64 * PAGE);
    const watch = new PageWatch(new DirectPublisher(arena), BASE, PAGES * PAGE);
    watch.u16(BASE, 1);
    expect(watch.take()).toHaveLength(0);
    watch.begin();
    watch.u16(BASE + PAGE + 2, 7);
    watch.u32(BASE + 3 * PAGE - 4, 9);
    watch.cover(BASE + 5 * PAGE - 1, 2);
    watch.wrote(BASE + 7 * PAGE, 1);
    expect(arena.u16[(BASE + PAGE + 2) >>> 1]).toBe(7);
    expect(arena.u32[(BASE + 3 * PAGE - 4) >>> 2]).toBe(9);
    expect(pagesOf(watch.take())).toEqual([1, 2, 4, 5, 7]);
    expect(pagesOf(watch.take())).toEqual([]);
  });

  it('are not noted any more when the guest has arrived, nor where it has no memory', () => {
    const arena = createArena(64 * PAGE);
    const watch = new PageWatch(new DirectPublisher(arena), BASE, PAGES * PAGE);
    watch.begin();
    watch.u16(BASE + PAGES * PAGE, 1);
    expect(pagesOf(watch.take())).toEqual([]);
    watch.end(20 * PAGE);
    watch.u16(20 * PAGE, 3);
    expect(watch.take()).toHaveLength(0);
    expect(arena.u16[(20 * PAGE) >>> 1]).toBe(3);
  });
});
