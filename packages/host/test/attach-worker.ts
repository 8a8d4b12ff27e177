import { workerData } from 'node:worker_threads';
import { attachArena } from '../src/index.ts';

const arena = attachArena(workerData.address, workerData.sizeBytes);
Atomics.store(new Int32Array(arena.buffer), 3, 77);
