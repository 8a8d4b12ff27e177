import { parentPort, workerData } from 'node:worker_threads';
import { Traffic, type TrafficOptions } from './traffic.ts';

interface Job {
  readonly buffer: SharedArrayBuffer;
  /** One word: 1 once the traffic is to end. */
  readonly stop: SharedArrayBuffer;
  readonly options: TrafficOptions;
}

const { buffer, stop, options } = workerData as Job;
const flag = new Int32Array(stop);
const traffic = new Traffic(buffer, options);
parentPort?.postMessage('ready');
while (Atomics.load(flag, 0) === 0) for (let i = 0; i < 1000; i++) traffic.step();
parentPort?.postMessage({ done: traffic.done, violation: traffic.device.violation });
