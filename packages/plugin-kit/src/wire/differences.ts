import { fromBinary, toJson } from '@vhostlab/contracts';
import type { WireMethod } from './wire-file.ts';

/** Fields that differ from process to process, as `Message.field`. */
export const USUALLY_IGNORED: readonly string[] = ['Hello.instance_id', 'Hello.process_id'];

type Output = WireMethod['output'];
type Described = { readonly name: string; readonly fields: readonly DescribedField[] };
type DescribedField = { readonly name: string; readonly message?: Described | undefined };

/** A field that is not what it was. */
export interface Difference {
  /** Path of the field, such as `outputs[4].delay_ps`; empty: the whole message. */
  readonly field: string;
  readonly was: string;
  readonly is: string;
}

const MAX_SHOWN = 80;

/** The first field in which an answer differs from the recorded one; null: none but ignored ones. */
export function firstDifference(
  schema: Output,
  was: Uint8Array,
  is: Uint8Array,
  ignored: ReadonlySet<string>,
): Difference | null {
  if (Buffer.compare(was, is) === 0) return null;
  let values: [unknown, unknown];
  try {
    const options = { alwaysEmitImplicit: true, useProtoFieldName: true } as const;
    values = [
      toJson(schema, fromBinary(schema, was), options),
      toJson(schema, fromBinary(schema, is), options),
    ];
  } catch {
    return { field: '', was: `${was.length} bytes`, is: `${is.length} bytes` };
  }
  return compare(schema as unknown as Described, values[0], values[1], '', ignored);
}

function compare(
  schema: Described | undefined,
  was: unknown,
  is: unknown,
  path: string,
  ignored: ReadonlySet<string>,
): Difference | null {
  if (Array.isArray(was) && Array.isArray(is)) {
    for (let i = 0; i < Math.min(was.length, is.length); i++) {
      const inside = compare(schema, was[i], is[i], `${path}[${i}]`, ignored);
      if (inside !== null) return inside;
    }
    if (was.length === is.length) return null;
    return { field: path, was: `${was.length} entries`, is: `${is.length} entries` };
  }
  if (isObject(was) && isObject(is)) {
    for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
      if (schema !== undefined && ignored.has(`${schema.name}.${key}`)) continue;
      const field = schema?.fields.find(({ name }) => name === key);
      const inside = compare(
        field?.message,
        was[key],
        is[key],
        path === '' ? key : `${path}.${key}`,
        ignored,
      );
      if (inside !== null) return inside;
    }
    return null;
  }
  return was === is ? null : { field: path, was: show(was), is: show(is) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  const text = value === undefined ? 'absent' : JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
