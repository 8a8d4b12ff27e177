import { threadInbox } from '../src/index.ts';

// a loop that never returns to the event loop, as a polling worker's
const inbox = threadInbox();
let turns = 0;
inbox.note('ready');
for (;;) {
  turns++;
  inbox.serve((body) => {
    if (body === 'fail') throw new Error('asked to fail');
    if (body === 'die') process.exit(3);
    return { body, turned: turns > 0, data: inbox.data };
  });
}
