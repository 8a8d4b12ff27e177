import { createInterface } from 'node:readline';
import { LinkBench } from './_link-end.ts';

/** The far end of a link: takes frames as fast as they come until its input ends, and prints what it had. */
const end = await LinkBench.start('listen', '127.0.0.1:0');
console.log(JSON.stringify({ address: end.address }));
let isOver = false;
createInterface({ input: process.stdin }).on('close', () => {
  isOver = true;
});
while (!isOver) {
  end.take();
  await new Promise((resolve) => setTimeout(resolve, 1));
}
await end.stop();
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ taken: end.taken, cpuUs: user + system, counters: end.counters }));
