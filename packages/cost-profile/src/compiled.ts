// what a process needs that is given a profile as JSON: no YAML
export { compileCostProfile } from './compile.ts';
export { costProfileSchema } from './schema.ts';
