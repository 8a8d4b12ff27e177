export { Arena, createArena } from './arena.ts';
export type { Publisher } from './publisher.ts';
