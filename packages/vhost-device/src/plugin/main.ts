import { threadInbox } from '@vhostlab/host';
import type { PluginConfig } from './plugin-config.ts';
import { PluginWorker } from './plugin-worker.ts';

const inbox = threadInbox();
new PluginWorker(inbox.data as PluginConfig, inbox).run();
