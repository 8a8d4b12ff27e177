/**
 * Our front end as a process of its own, for benchmarks: options as JSON in the first argument; answers every line on its
 * standard input with a line of JSON, its figures, and ends with the input. Run it with `--trace-gc`, whose lines the
 * benchmark counts.
 */
import { createInterface } from 'node:readline';
import { type FrontendOptions, startFrontend } from '../../packages/vhost-driver/src/index.ts';

const frontend = await startFrontend(JSON.parse(process.argv[2]) as FrontendOptions);
console.log('ready');
for await (const _ of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(frontend.figures()));
}
await frontend.stop();
