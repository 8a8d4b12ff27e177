import { threadInbox } from '@vhostlab/host';
import { DriverThread } from './driver-thread.ts';

new DriverThread(threadInbox()).run();
