import { z } from 'zod';
import { comparisonSchema } from '../compare/result-schema.ts';
import { runFileSchema } from '../compare/run-file-schema.ts';
import { labFileSchema } from './schema.ts';

/** A JSON Schema (draft 2020-12) as it is published. */
export interface PublishedSchema {
  /** File name, version included: a change that refuses what was valid before makes a new one. */
  file: string;
  schema: Record<string, unknown>;
}

/** Every published schema: what `vhostlab compare --json` prints, `run.json`, and the lab file. */
export function publishedSchemas(): PublishedSchema[] {
  return [
    publish('compare-v1', 'Output of vhostlab compare --json', comparisonSchema, 'output'),
    publish('lab-v1', 'vhostlab lab file', labFileSchema, 'input'),
    publish('run-v1', 'run.json of a vhostlab run folder', runFileSchema, 'output'),
  ];
}

/** `input`: what a reader of ours accepts, defaults optional. `output`: what we write. */
function publish(name: string, title: string, schema: z.ZodType, io: 'input' | 'output'): PublishedSchema {
  const file = `${name}.schema.json`;
  const { $schema, ...body } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' });
  return { file, schema: { $schema, $id: `https://vhostlab.dev/schemas/${file}`, title, ...body } };
}
