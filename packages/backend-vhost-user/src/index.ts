export { vhostUserPlugin } from './plugin.ts';
