import { threadInbox } from '@vhostlab/host';
import type { LinkThreadData } from './link-messages.ts';
import { LinkThread } from './link-thread.ts';

const inbox = threadInbox();
await new LinkThread(inbox.data as LinkThreadData, inbox).run();
