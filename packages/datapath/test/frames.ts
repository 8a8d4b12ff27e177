/** Small frame builder for tests: independent of the code under test. */
export interface FrameOptions {
  dst?: number[];
  src?: number[];
  tags?: [tpid: number, tci: number][];
  type?: number;
  payload: number[];
}

export function frame(options: FrameOptions): Uint8Array {
  const bytes = [...(options.dst ?? [2, 0, 0, 0, 0, 1]), ...(options.src ?? [2, 0, 0, 0, 0, 2])];
  for (const [tpid, tci] of options.tags ?? []) bytes.push(...be16(tpid), ...be16(tci));
  bytes.push(...be16(options.type ?? 0x0800), ...options.payload);
  return Uint8Array.from(bytes);
}

export function be16(value: number): number[] {
  return [(value >>> 8) & 255, value & 255];
}

export function be32(value: number): number[] {
  return [...be16(value >>> 16), ...be16(value & 0xffff)];
}

/** Ones' complement sum of 16-bit words, folded. */
export function sum16(bytes: number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

export interface Ipv4Options {
  src?: number;
  dst?: number;
  proto: number;
  ttl?: number;
  tos?: number;
  fragment?: number;
  options?: number[];
  body: number[];
}

export function ipv4(o: Ipv4Options): number[] {
  const options = o.options ?? [];
  const header = [
    0x40 | (5 + options.length / 4),
    o.tos ?? 0,
    ...be16(20 + options.length + o.body.length),
    0x12,
    0x34,
    ...be16(o.fragment ?? 0),
    o.ttl ?? 64,
    o.proto,
    0,
    0,
    ...be32(o.src ?? 0x0a000001),
    ...be32(o.dst ?? 0x0a000002),
    ...options,
  ];
  const checksum = be16(~sum16(header) & 0xffff);
  header[10] = checksum[0];
  header[11] = checksum[1];
  return [...header, ...o.body];
}

export interface Ipv6Options {
  src?: number[];
  dst?: number[];
  next: number;
  label?: number;
  tos?: number;
  hops?: number;
  body: number[];
}

export function ipv6(o: Ipv6Options): number[] {
  const first = ((6 << 28) | ((o.tos ?? 0) << 20) | (o.label ?? 0)) >>> 0;
  const src = o.src ?? [0x20, 1, 0xd, 0xb8, ...new Array<number>(11).fill(0), 1];
  const dst = o.dst ?? [0x20, 1, 0xd, 0xb8, ...new Array<number>(11).fill(0), 2];
  return [...be32(first), ...be16(o.body.length), o.next, o.hops ?? 64, ...src, ...dst, ...o.body];
}

/** Transport checksum over pseudo header and body, to compare with: 0 in a correct packet. */
export function transportResidue(addresses: number[], proto: number, body: number[]): number {
  return ~sum16([...addresses, 0, proto, ...be32(body.length), ...body]) & 0xffff;
}

export function udp(src: number, dst: number, data: number[], checksum = 0): number[] {
  return [...be16(src), ...be16(dst), ...be16(8 + data.length), ...be16(checksum), ...data];
}

export function tcp(src: number, dst: number, flags: number, data: number[] = []): number[] {
  return [
    ...be16(src),
    ...be16(dst),
    ...be32(1),
    ...be32(2),
    0x50 | (flags >>> 8),
    flags & 255,
    1,
    0,
    0,
    0,
    0,
    0,
    ...data,
  ];
}

/** The body with its transport checksum (at `at`) filled in. */
export function withChecksum(addresses: number[], proto: number, body: number[], at: number): number[] {
  const clear = [...body];
  clear[at] = 0;
  clear[at + 1] = 0;
  const value = be16(transportResidue(addresses, proto, clear));
  clear[at] = value[0];
  clear[at + 1] = value[1];
  return clear;
}
