export { CostProfileError, compileCostProfile, parseCostProfile } from './compile.ts';
export { type CostProfile, costProfileSchema } from './schema.ts';
