import { parentPort, workerData } from 'node:worker_threads';
import { takeLock, thisProcess } from '../../src/operate/lab-lock.ts';

/** One of those who try at the same moment: what `takeLock` answers for each folder, `undefined` as null. */
const { folders, gate, racers } = workerData as {
  folders: string[];
  gate: Int32Array;
  racers: number;
};
const answers = folders.map((folder, round) => {
  Atomics.add(gate, round, 1);
  while (Atomics.load(gate, round) < racers);
  return takeLock(folder, thisProcess()) ?? null;
});
parentPort?.postMessage(answers);
