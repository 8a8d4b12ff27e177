import { threadInbox } from '@vhostlab/host';
import { loadExternal } from './load-external.ts';
import type { PluginConfig } from './plugin-config.ts';
import { PluginWorker } from './plugin-worker.ts';

const inbox = threadInbox();
const config = inbox.data as PluginConfig;
new PluginWorker(config, inbox, await loadExternal(config.spec)).run();
