export { vhostNetPlugin } from './plugin.ts';
