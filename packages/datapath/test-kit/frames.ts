const LOCAL_EXPERIMENTAL_TYPE = 0x88b5;

/** Bytes of the test frame of a packet: addresses, an experimental EtherType, then bytes of its number. */
export function testFrame(packet: number, length: number): Uint8Array {
  const frame = new Uint8Array(length);
  for (let i = 0; i < length; i++) frame[i] = (packet * 31 + i * 7) & 0xff;
  const head = [
    2,
    0,
    0,
    0,
    0,
    1,
    2,
    0,
    0,
    0,
    0,
    2,
    LOCAL_EXPERIMENTAL_TYPE >>> 8,
    LOCAL_EXPERIMENTAL_TYPE & 0xff,
  ];
  frame.set(head.slice(0, length));
  return frame;
}

/** Bytes as hexadecimal text, to compare and to print. */
export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
