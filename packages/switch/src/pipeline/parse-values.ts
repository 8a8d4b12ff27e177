import { parseIpv4, parseIpv6, parseMac } from '@vhostlab/packet';

/** An operator's mistake in a flow: one sentence that names the flow's part. */
export class FlowSyntaxError extends Error {}

/** A value and its mask; `mask` undefined: all bits. */
export interface MaskedValue {
  readonly value: bigint;
  readonly mask: bigint | undefined;
}

/** Number in decimal or 0x form, 0..`max`. */
export function parseNumber(text: string, max: bigint, what: string): bigint {
  if (!/^(0x[0-9a-fA-F]+|[0-9]+)$/.test(text))
    throw new FlowSyntaxError(`${what}: "${text}" is not a number`);
  const value = BigInt(text);
  if (value > max) throw new FlowSyntaxError(`${what}: ${text} is more than ${max}`);
  return value;
}

/** `value` or `value/mask`, both numbers of `bits` bits. */
export function parseMaskedNumber(text: string, bits: number, what: string): MaskedValue {
  const max = (1n << BigInt(bits)) - 1n;
  const [value, mask, ...more] = text.split('/');
  if (more.length > 0) throw new FlowSyntaxError(`${what}: "${text}" has two masks`);
  return {
    value: parseNumber(value, max, what),
    mask: mask === undefined ? undefined : parseNumber(mask, max, what),
  };
}

/** `aa:bb:cc:dd:ee:ff`, with a mask of the same form behind `/`. */
export function parseMaskedMac(text: string, what: string): MaskedValue {
  const [value, mask, ...more] = text.split('/');
  if (more.length > 0) throw new FlowSyntaxError(`${what}: "${text}" has two masks`);
  return {
    value: parseMacValue(value, what),
    mask: mask === undefined ? undefined : parseMacValue(mask, what),
  };
}

/** A MAC address as a 48-bit number. */
export function parseMacValue(text: string, what: string): bigint {
  return parseBytes(text, parseMac, what, 'MAC address');
}

/** `a.b.c.d`, with `/prefix` or `/mask`. */
export function parseMaskedIpv4(text: string, what: string): MaskedValue {
  return parseMaskedAddress(text, 32, (part) => parseIpv4Value(part, what), what);
}

/** An IPv4 address as a 32-bit number. */
export function parseIpv4Value(text: string, what: string): bigint {
  return parseBytes(text, parseIpv4, what, 'IPv4 address');
}

/** An IPv6 address with `/prefix` or `/mask`. */
export function parseMaskedIpv6(text: string, what: string): MaskedValue {
  return parseMaskedAddress(text, 128, (part) => parseIpv6Value(part, what), what);
}

/** An IPv6 address as a 128-bit number. */
export function parseIpv6Value(text: string, what: string): bigint {
  return parseBytes(text, parseIpv6, what, 'IPv6 address');
}

function parseMaskedAddress(
  text: string,
  bits: number,
  parse: (part: string) => bigint,
  what: string,
): MaskedValue {
  const [address, mask, ...more] = text.split('/');
  if (more.length > 0) throw new FlowSyntaxError(`${what}: "${text}" has two masks`);
  const value = parse(address);
  if (mask === undefined) return { value, mask: undefined };
  if (!/^[0-9]+$/.test(mask)) return { value, mask: parse(mask) };
  const length = Number(parseNumber(mask, BigInt(bits), what));
  const all = (1n << BigInt(bits)) - 1n;
  return { value, mask: all ^ (all >> BigInt(length)) };
}

function parseBytes(text: string, parse: (text: string) => Uint8Array, what: string, form: string): bigint {
  try {
    return parse(text).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new FlowSyntaxError(`${what}: "${text}" is not ${form === 'MAC address' ? 'a' : 'an'} ${form}`);
  }
}
