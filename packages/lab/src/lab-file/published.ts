import { z } from 'zod';
import { comparisonSchema } from '../compare/result-schema.ts';
import { runFileSchema } from '../compare/run-file-schema.ts';
import { labFileSchema } from './schema.ts';
import { REFERENCE_PATTERN } from './variables.ts';

/** A JSON Schema (draft 2020-12) as it is published. */
export interface PublishedSchema {
  /** File name, version included: a change that refuses what was valid before makes a new one. */
  file: string;
  schema: Record<string, unknown>;
}

/**
 * Every published schema: what `vhostlab compare --json` prints, `run.json`, and the lab file. `lab.schema.json` is
 * always the newest version of lab files, for editors.
 */
export function publishedSchemas(): PublishedSchema[] {
  const lab = [
    publish('lab-v1', 'vhostlab lab file', labFileSchema, 'input'),
    publish('lab', 'vhostlab lab file', labFileSchema, 'input'),
  ];
  return [
    publish('compare-v1', 'Output of vhostlab compare --json', comparisonSchema, 'output'),
    ...lab.map(({ file, schema }) => ({ file, schema: withVariables(schema) })),
    publish('run-v1', 'run.json of a vhostlab run folder', runFileSchema, 'output'),
  ];
}

/** `input`: what a reader of ours accepts, defaults optional. `output`: what we write. */
function publish(name: string, title: string, schema: z.ZodType, io: 'input' | 'output'): PublishedSchema {
  const file = `${name}.schema.json`;
  const { $schema, ...body } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' });
  return { file, schema: { $schema, $id: `https://vhostlab.dev/schemas/${file}`, title, ...body } };
}

type Json = Record<string, unknown>;

/** Lets every value but the version and the variables themselves be a reference to a variable, too. */
function withVariables(schema: Json): Json {
  const { properties, ...rest } = schema as Json & { properties: Record<string, Json> };
  const own = Object.entries(properties).map(([key, value]) =>
    key === 'schema' || key === 'vars' ? [key, value] : [key, open(value)],
  );
  return { ...rest, properties: Object.fromEntries(own) };
}

function open(schema: Json): Json {
  const changed: Json = { ...schema };
  for (const key of ['properties', 'additionalProperties'] as const) {
    const inside = schema[key];
    if (typeof inside !== 'object' || inside === null) continue;
    changed[key] =
      key === 'additionalProperties'
        ? open(inside as Json)
        : Object.fromEntries(
            Object.entries(inside as Record<string, Json>).map(([name, value]) => [name, open(value)]),
          );
  }
  for (const key of ['items'] as const) {
    if (typeof schema[key] === 'object') changed[key] = open(schema[key] as Json);
  }
  for (const key of ['anyOf', 'prefixItems'] as const) {
    if (Array.isArray(schema[key])) changed[key] = (schema[key] as Json[]).map(open);
  }
  const type = schema.type;
  const closed =
    type === 'integer' ||
    type === 'number' ||
    type === 'boolean' ||
    'const' in schema ||
    (type === 'string' && ('enum' in schema || 'pattern' in schema));
  if (!closed) return changed;
  const { description, default: usual, ...value } = changed;
  return {
    anyOf: [value, { type: 'string', pattern: REFERENCE_PATTERN }],
    ...(usual === undefined ? {} : { default: usual }),
    ...(description === undefined ? {} : { description }),
  };
}
