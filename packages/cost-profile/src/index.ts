export { CostProfileError, compileCostProfile } from './compile.ts';
export { parseCostProfile } from './parse.ts';
export { type CostProfile, costProfileSchema } from './schema.ts';
