export { vfioPlugin } from './plugin.ts';
