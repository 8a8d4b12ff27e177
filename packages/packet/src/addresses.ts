/** Ethernet and IP addresses as text and as bytes. */

/** Parses `02:00:00:00:00:01`; throws a RangeError for anything else. */
export function parseMac(text: string): Uint8Array {
  const parts = text.split(':');
  if (parts.length !== 6 || !parts.every((part) => /^[0-9a-fA-F]{2}$/.test(part))) {
    throw new RangeError(`"${text}" is not a MAC address: six bytes like 02:00:00:00:00:01 are needed`);
  }
  return Uint8Array.from(parts, (part) => Number.parseInt(part, 16));
}

/** Formats the 6 bytes at `offset`. */
export function formatMac(u8: Uint8Array, offset = 0): string {
  const parts: string[] = [];
  for (let i = 0; i < 6; i++) parts.push(u8[offset + i].toString(16).padStart(2, '0'));
  return parts.join(':');
}

/** Parses dotted decimal; throws a RangeError for anything else. */
export function parseIpv4(text: string): Uint8Array {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) {
    throw new RangeError(`"${text}" is not an IPv4 address`);
  }
  return Uint8Array.from(parts, Number);
}

/** Formats the 4 bytes at `offset`. */
export function formatIpv4(u8: Uint8Array, offset = 0): string {
  return `${u8[offset]}.${u8[offset + 1]}.${u8[offset + 2]}.${u8[offset + 3]}`;
}

/** Parses the text forms of RFC 4291, 2.2, with `::` and a dotted IPv4 tail; throws a RangeError otherwise. */
export function parseIpv6(text: string): Uint8Array {
  const halves = text.split('::');
  if (halves.length > 2) throw notIpv6(text);
  const head = groups(halves[0], text, halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1], text, true) : [];
  const zeros = 8 - head.length - tail.length;
  if (halves.length === 2 ? zeros < 1 : zeros !== 0) throw notIpv6(text);
  const words = [...head, ...new Array<number>(zeros).fill(0), ...tail];
  return Uint8Array.from(words.flatMap((word) => [word >>> 8, word & 0xff]));
}

function notIpv6(text: string): RangeError {
  return new RangeError(`"${text}" is not an IPv6 address`);
}

function groups(part: string, text: string, mayEndInIpv4: boolean): number[] {
  if (part === '') return [];
  const words: number[] = [];
  const pieces = part.split(':');
  pieces.forEach((piece, index) => {
    if (mayEndInIpv4 && index === pieces.length - 1 && piece.includes('.')) {
      const v4 = parseIpv4(piece);
      words.push((v4[0] << 8) | v4[1], (v4[2] << 8) | v4[3]);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(piece)) {
      words.push(Number.parseInt(piece, 16));
    } else {
      throw notIpv6(text);
    }
  });
  return words;
}

/** Formats the 16 bytes at `offset` as RFC 5952 recommends: lower case, longest run of zeros as `::`. */
export function formatIpv6(u8: Uint8Array, offset = 0): string {
  const words: number[] = [];
  for (let i = 0; i < 16; i += 2) words.push((u8[offset + i] << 8) | u8[offset + i + 1]);
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && words[start + length] === 0) length++;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const hex = words.map((word) => word.toString(16));
  if (bestStart < 0) return hex.join(':');
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}`;
}
