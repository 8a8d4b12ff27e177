import type { Field } from './field.ts';

/** The fields of a layout by name, in the order in which they are printed. */
export type Fields = Readonly<Record<string, Field>>;

/** What describes a layout itself. */
export interface LayoutInfo<F extends Fields = Fields> {
  readonly $name: string;
  /** Total size in bytes. */
  readonly $size: number;
  readonly $fields: F;
}

/**
 * A checked layout. Every field's offset in bytes is a plain number under the field's name
 * (`VIRTQ_DESC.len === 8`), so hot code writes `base + VIRTQ_DESC.len`; what describes the layout itself
 * starts with `$`.
 */
export type Layout<F extends Fields> = LayoutInfo<F> & {
  readonly [K in keyof F as F[K] extends Field<'pad'> ? never : K]: number;
};

/** What may be declared besides the fields. */
export interface LayoutOptions {
  /** True for structures without natural alignment: network headers, vhost-user messages. Default false. */
  readonly packed?: boolean;
}

function check(name: string, size: number, fields: Fields, packed: boolean): void {
  const fail = (text: string): never => {
    throw new RangeError(`layout ${name}: ${text}`);
  };
  const entries = Object.entries(fields).sort((a, b) => a[1].offset - b[1].offset);
  let end = 0;
  let last = 'start';
  let widest = 1;
  for (const [key, field] of entries) {
    if (key.startsWith('$')) fail(`field ${key} must not start with $`);
    if (!Number.isInteger(field.offset) || field.offset < 0) fail(`field ${key} has offset ${field.offset}`);
    if (!Number.isInteger(field.size) || field.size < 1) fail(`field ${key} has size ${field.size}`);
    if (field.offset < end) fail(`field ${key} at ${field.offset} overlaps ${last}, which ends at ${end}`);
    if (field.offset > end)
      fail(`gap of ${field.offset - end} bytes at ${end} before ${key}: declare it with pad`);
    if (!packed && field.offset % field.align !== 0) {
      fail(`field ${key} at ${field.offset} is not aligned to ${field.align}`);
    }
    widest = Math.max(widest, field.align);
    end = field.offset + field.size;
    last = key;
  }
  if (end !== size) fail(`fields end at ${end}, declared size is ${size}`);
  if (!packed && size % widest !== 0) fail(`size ${size} is not a multiple of its alignment ${widest}`);
}

/**
 * Declares a binary layout of `size` bytes with written offsets, so that each line can be compared with the
 * specification by eye. Call it at module level: it throws a RangeError that names the field on overlap,
 * undeclared gap, misalignment or a wrong total.
 */
export function defineLayout<const F extends Fields>(
  name: string,
  size: number,
  fields: F,
  options: LayoutOptions = {},
): Layout<F> {
  check(name, size, fields, options.packed === true);
  const layout: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(fields)) {
    if (field.kind !== 'pad') layout[key] = field.offset;
  }
  layout.$name = name;
  layout.$size = size;
  layout.$fields = Object.freeze({ ...fields });
  return Object.freeze(layout) as Layout<F>;
}
