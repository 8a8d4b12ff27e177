import { threadInbox } from '@vhostlab/host';
import { Worker } from './worker.ts';
import type { WorkerConfig } from './worker-config.ts';

const inbox = threadInbox();
new Worker(inbox.data as WorkerConfig, inbox).run();
