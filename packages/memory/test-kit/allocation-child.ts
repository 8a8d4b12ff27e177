/**
 * The process in which allocation is measured: `node --expose-gc allocation-child.ts MODULE CALLS`. Prints one JSON
 * object: bytes of heap growth per call for every hot case of the module.
 */
import { pathToFileURL } from 'node:url';
import type { HotCases } from './no-allocation.ts';

const SLICES = 10;
const ROUNDS = 6;
const CLEAN_BYTES = 0.5;

function run(hot: (call: number) => unknown, from: number, calls: number): void {
  for (let i = from; i < from + calls; i++) hot(i);
}

/**
 * Sum of the heap growth over slices so small that the young generation holds their garbage without a collection. Until
 * the optimising compiler has settled a function keeps boxing its doubles now and then, so rounds are repeated until one
 * is clean; code that allocates by itself does so in every round.
 */
function bytesPerCall(hot: (call: number) => unknown, calls: number): number {
  const slice = Math.ceil(calls / SLICES);
  let call = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS && least >= CLEAN_BYTES; round++) {
    let bytes = 0;
    for (let done = 0; done < SLICES; done++, call += slice) {
      globalThis.gc?.();
      const before = process.memoryUsage().heapUsed;
      run(hot, call, slice);
      bytes += Math.max(0, process.memoryUsage().heapUsed - before);
    }
    least = Math.min(least, bytes / (slice * SLICES));
  }
  return least;
}

const [path, calls] = process.argv.slice(2);
const { hotCases } = (await import(pathToFileURL(path).href)) as { hotCases: HotCases };
const result: Record<string, number> = {};
for (const [name, setUp] of Object.entries(hotCases)) result[name] = bytesPerCall(setUp(), Number(calls));
console.log(JSON.stringify(result));
