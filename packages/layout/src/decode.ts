import type { Fields, LayoutInfo } from './define-layout.ts';
import type { Field } from './field.ts';

type Value<F extends Field> =
  F extends Field<'u64' | 'be64'> ? bigint : F extends Field<'bytes'> ? Uint8Array : number;

/** The values of one structure by field name: 64-bit fields as bigint, `bytes` as a copy. */
export type Decoded<F extends Fields> = {
  [K in keyof F as F[K] extends Field<'pad'> ? never : K]: Value<F[K]>;
};

function readField(view: DataView, at: number, field: Field): number | bigint | Uint8Array {
  switch (field.kind) {
    case 'u8':
      return view.getUint8(at);
    case 'u16':
      return view.getUint16(at, true);
    case 'u32':
      return view.getUint32(at, true);
    case 'u64':
      return view.getBigUint64(at, true);
    case 'be16':
      return view.getUint16(at, false);
    case 'be32':
      return view.getUint32(at, false);
    case 'be64':
      return view.getBigUint64(at, false);
    default:
      return new Uint8Array(view.buffer, view.byteOffset + at, field.size).slice();
  }
}

function viewOf(memory: Uint8Array, offset: number, layout: LayoutInfo): DataView {
  if (offset < 0 || offset + layout.$size > memory.length) {
    throw new RangeError(`${layout.$name} at ${offset} does not fit in ${memory.length} bytes`);
  }
  return new DataView(memory.buffer, memory.byteOffset + offset, layout.$size);
}

/**
 * Reads one structure at byte `offset` of `memory` into a fresh object. For people, tests and control paths:
 * it allocates, hot code uses the offsets. Throws a RangeError when the structure does not fit.
 */
export function decode<F extends Fields>(
  layout: LayoutInfo<F>,
  memory: Uint8Array,
  offset: number,
): Decoded<F> {
  const view = viewOf(memory, offset, layout);
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(layout.$fields)) {
    if (field.kind !== 'pad') result[name] = readField(view, field.offset, field);
  }
  return result as Decoded<F>;
}

function hex(value: number | bigint | Uint8Array, size: number): string {
  if (value instanceof Uint8Array)
    return [...value].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `0x${value.toString(16).padStart(size * 2, '0')}`;
}

/**
 * One line per field: offset, name, value in hexadecimal and, for integers, in decimal. The form in which
 * ring bytes are shown to people.
 */
export function dump(layout: LayoutInfo, memory: Uint8Array, offset: number): string[] {
  const view = viewOf(memory, offset, layout);
  const shown = Object.entries(layout.$fields).filter(([, field]) => field.kind !== 'pad');
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, field]) => {
    const value = readField(view, field.offset, field);
    const decimal = value instanceof Uint8Array ? '' : ` (${value})`;
    return `+${String(field.offset).padEnd(3)} ${name.padEnd(width)} ${hex(value, field.size)}${decimal}`;
  });
}

/** The layout itself as text, one line per field with padding: what golden tests compare. */
export function describeLayout(layout: LayoutInfo): string {
  const fields = Object.entries(layout.$fields)
    .sort((a, b) => a[1].offset - b[1].offset)
    .map(
      ([name, field]) => `  +${String(field.offset).padEnd(3)} ${field.kind.padEnd(5)} ${field.size} ${name}`,
    );
  return [`${layout.$name} ${layout.$size}`, ...fields, ''].join('\n');
}
