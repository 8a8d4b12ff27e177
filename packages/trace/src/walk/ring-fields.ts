/** What stands in one place of a ring. */
export type FieldKind =
  | 'split.desc'
  | 'split.index'
  | 'split.entry'
  | 'split.used'
  | 'split.flags'
  | 'split.event'
  | 'packed.desc'
  | 'packed.event'
  | 'nic.tx'
  | 'nic.rx';

const VIRTQ_DESC_FLAGS: readonly [number, string][] = [
  [1, 'NEXT'],
  [2, 'WRITE'],
  [4, 'INDIRECT'],
  [0x80, 'AVAIL'],
  [0x8000, 'USED'],
];

/** One place of a ring in words; `bytes` are little-endian. */
export function describeField(kind: FieldKind, bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (kind) {
    case 'split.desc': {
      const next = view.getUint16(12, true) & 1 ? `, next ${view.getUint16(14, true)}` : '';
      return `addr ${address(view, 0)}, len ${view.getUint32(8, true)}, flags ${flags(view.getUint16(12, true))}${next}`;
    }
    case 'packed.desc':
      return `addr ${address(view, 0)}, len ${view.getUint32(8, true)}, id ${view.getUint16(12, true)}, flags ${flags(view.getUint16(14, true))}`;
    case 'split.used':
      return `id ${view.getUint32(0, true)}, len ${view.getUint32(4, true)}`;
    case 'split.entry':
      return `descriptor ${view.getUint16(0, true)}`;
    case 'split.index':
    case 'split.flags':
    case 'split.event':
      return String(view.getUint16(0, true));
    case 'packed.event': {
      const at = view.getUint16(0, true);
      const mode = ['enabled', 'disabled', 'at descriptor'][view.getUint16(2, true) & 3] ?? 'reserved';
      return `${mode}, offset ${at & 0x7fff}, wrap ${at >>> 15}`;
    }
    case 'nic.tx':
      return `addr ${address(view, 0)}, length ${view.getUint32(8, true)}, command ${hexNumber(view.getUint16(12, true))}`;
    case 'nic.rx':
      return view.getUint16(14, true) === 0
        ? `addr ${address(view, 0)}, empty buffer`
        : `hash ${hexNumber(view.getUint32(0, true))}, length ${view.getUint32(4, true)}, status ${hexNumber(view.getUint16(14, true))}`;
  }
}

function address(view: DataView, at: number): string {
  return hexNumber(view.getUint32(at + 4, true) * 4294967296 + view.getUint32(at, true));
}

function flags(value: number): string {
  const names = VIRTQ_DESC_FLAGS.filter(([bit]) => value & bit).map(([, name]) => name);
  return names.length > 0 ? names.join('|') : '0';
}

/** `0x1f` */
export function hexNumber(value: number): string {
  return `0x${value.toString(16)}`;
}
