import { parentPort, workerData } from 'node:worker_threads';
import { Traffic, type TrafficOptions } from './traffic.ts';

interface Job {
  readonly buffer: SharedArrayBuffer;
  /** Two words: 1 once the traffic is to end; buffers that went the whole way so far. */
  readonly stop: SharedArrayBuffer;
  readonly options: TrafficOptions;
}

const { buffer, stop, options } = workerData as Job;
const flag = new Int32Array(stop);
const traffic = new Traffic(buffer, options);
parentPort?.postMessage('ready');
while (Atomics.load(flag, 0) === 0) {
  for (let i = 0; i < 1000; i++) traffic.step();
  Atomics.store(flag, 1, traffic.done);
}
parentPort?.postMessage({ done: traffic.done, violation: traffic.device.violation });
