/**
 * Our back end as a process of its own, for benchmarks: options as JSON in the first argument; answers every line on its
 * standard input with a line of JSON, `{"queues": …}`, and ends with the input. Run it with `--trace-gc`, whose lines the
 * benchmark counts.
 */
import { createInterface } from 'node:readline';
import { type BackendOptions, startBackend } from '../../packages/vhost-device/src/index.ts';

const options = JSON.parse(process.argv[2]) as BackendOptions;
const backend = await startBackend(options, { line: (text) => console.error(text), messages: false });
console.log('ready');
for await (const _ of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ queues: backend.statistics.snapshot() }));
}
await backend.stop();
