/**
 * The process in which allocation is measured: `node --expose-gc --single-threaded allocation-child.ts MODULE CALLS`.
 * Prints one JSON object: bytes of heap growth per call for every hot case of the module.
 */
import { pathToFileURL } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import type { HotCases } from './no-allocation.ts';

/** Slices in a row that are counted together. */
const WINDOW = 5;
const MOST_SLICES = 60;
const CLEAN_BYTES = 0.5;

type Hot = (call: number) => unknown;

function run(hot: Hot, from: number, calls: number): void {
  for (let i = from; i < from + calls; i++) hot(i);
}

/**
 * Change of the heap's size over a slice. The young generation is empty at its start and holds the garbage of the whole
 * slice; where it does not, and a collection takes from the heap, that is a change as well.
 */
function growthBytes(hot: Hot, from: number, calls: number): number {
  globalThis.gc?.({ type: 'minor' });
  const before = getHeapStatistics().used_heap_size;
  run(hot, from, calls);
  return Math.abs(getHeapStatistics().used_heap_size - before);
}

/** What looking at the heap allocates by itself. */
function ownBytes(): number {
  const hot: Hot = () => undefined;
  for (let i = 0; i < 100; i++) growthBytes(hot, 0, 1);
  return growthBytes(hot, 0, 1);
}

/**
 * The least growth of any slices in a row. Until the optimising compiler has settled, a function keeps boxing its doubles
 * now and then, so slices follow until those last run are clean; code that allocates by itself does so in all of them.
 */
function bytesPerCall(hot: Hot, calls: number): number {
  const slice = Math.ceil(calls / WINDOW);
  const own = ownBytes();
  const grown: number[] = [];
  let least = Number.POSITIVE_INFINITY;
  globalThis.gc?.();
  for (let n = 0; n < MOST_SLICES && least >= CLEAN_BYTES; n++) {
    grown.push(Math.max(0, growthBytes(hot, n * slice, slice) - own));
    if (grown.length > WINDOW) grown.shift();
    if (grown.length === WINDOW) {
      least = Math.min(least, grown.reduce((sum, bytes) => sum + bytes) / (slice * WINDOW));
    }
  }
  return least;
}

const [path, calls] = process.argv.slice(2);
const { hotCases } = (await import(pathToFileURL(path).href)) as { hotCases: HotCases };
const result: Record<string, number> = {};
for (const [name, setUp] of Object.entries(hotCases)) result[name] = bytesPerCall(setUp(), Number(calls));
console.log(JSON.stringify(result));
