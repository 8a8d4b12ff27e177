/**
 * The process in which allocation is measured: `node --expose-gc allocation-child.ts MODULE CALLS`. Prints one JSON
 * object: bytes of heap growth per call for every hot case of the module.
 */
import { pathToFileURL } from 'node:url';
import type { HotCases } from './no-allocation.ts';

const SLICES = 10;

function run(hot: (call: number) => unknown, from: number, calls: number): void {
  for (let i = from; i < from + calls; i++) hot(i);
}

/** Sum of the heap growth over slices so small that the young generation holds their garbage without a collection. */
function bytesPerCall(hot: (call: number) => unknown, calls: number): number {
  const slice = Math.ceil(calls / SLICES);
  for (let warm = 0; warm < 3; warm++) run(hot, warm * slice, slice);
  let bytes = 0;
  for (let done = 0; done < SLICES; done++) {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    run(hot, (3 + done) * slice, slice);
    bytes += Math.max(0, process.memoryUsage().heapUsed - before);
  }
  return bytes / (slice * SLICES);
}

const [path, calls] = process.argv.slice(2);
const { hotCases } = (await import(pathToFileURL(path).href)) as { hotCases: HotCases };
const result: Record<string, number> = {};
for (const [name, setUp] of Object.entries(hotCases)) result[name] = bytesPerCall(setUp(), Number(calls));
console.log(JSON.stringify(result));
