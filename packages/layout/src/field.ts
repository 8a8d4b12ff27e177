/** How the bytes of a field are read. `u` kinds are little-endian, `be` kinds big-endian. */
export type FieldKind = 'u8' | 'u16' | 'u32' | 'u64' | 'be16' | 'be32' | 'be64' | 'bytes' | 'pad';

/** One field of a layout: where it starts, how long it is, all in bytes. */
export interface Field<K extends FieldKind = FieldKind> {
  readonly kind: K;
  readonly offset: number;
  readonly size: number;
  /** Natural alignment: the size of integers, 1 for bytes and padding. */
  readonly align: number;
}

function integer<K extends FieldKind>(kind: K, offset: number, size: number): Field<K> {
  return { kind, offset, size, align: size };
}

/** One byte at `offset`. */
export const u8 = (offset: number) => integer('u8', offset, 1);
/** Little-endian 16-bit integer (virtio `le16`). */
export const u16 = (offset: number) => integer('u16', offset, 2);
/** Little-endian 32-bit integer (virtio `le32`). */
export const u32 = (offset: number) => integer('u32', offset, 4);
/** Little-endian 64-bit integer (virtio `le64`). */
export const u64 = (offset: number) => integer('u64', offset, 8);
/** Big-endian 16-bit integer (network order). */
export const be16 = (offset: number) => integer('be16', offset, 2);
/** Big-endian 32-bit integer (network order). */
export const be32 = (offset: number) => integer('be32', offset, 4);
/** Big-endian 64-bit integer (network order). */
export const be64 = (offset: number) => integer('be64', offset, 8);

/** `length` bytes as they are: a MAC or IPv6 address, an array of the specification. */
export function bytes(offset: number, length: number): Field<'bytes'> {
  return { kind: 'bytes', offset, size: length, align: 1 };
}

/** `length` bytes that nobody reads. A gap must be declared so; padding has no offset constant and is not decoded. */
export function pad(offset: number, length: number): Field<'pad'> {
  return { kind: 'pad', offset, size: length, align: 1 };
}
