export { vdpaPlugin } from './plugin.ts';
