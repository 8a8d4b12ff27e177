import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_WRITE } from '@vhostlab/virtqueue';
import type { MemoryNote, OfferLine } from '../record/record-lines.ts';

/** Guest memory of the record. */
export type Recorded = (note: MemoryNote) => Uint8Array;

/** A buffer of the record that can be offered again. */
export interface OfferedBuffer {
  /** The driver's number of it: head descriptor, or buffer id. */
  readonly id: number;
  readonly slots: readonly number[];
  /** Bytes that the device may write. */
  readonly writable: number;
  /** Guest address and bytes of the first piece that the device may write; 0 bytes: none. */
  readonly firstAddress: number;
  readonly firstBytes: number;
}

/** What a device does with the buffer, or null when the record has not all of it. */
export function offeredBuffer(
  line: OfferLine,
  format: 'split' | 'packed',
  recorded: Recorded,
): OfferedBuffer | null {
  const { descriptors } = line;
  const [head] = descriptors;
  const tail = descriptors.at(-1);
  if (head === undefined || tail === undefined) return null;
  let writable = 0;
  let firstAddress = 0;
  let firstBytes = 0;
  const take = (address: number, length: number, flags: number) => {
    if ((flags & VIRTQ_DESC_F_WRITE) === 0) return;
    if (firstBytes === 0) [firstAddress, firstBytes] = [address, length];
    writable += length;
  };
  for (const { address, length, flags } of descriptors) {
    if ((flags & VIRTQ_DESC_F_INDIRECT) === 0) take(Number(address), length, flags);
    else {
      const note = line.memory.find((each) => each.gpa === address && each.bytes === length);
      if (note === undefined) return null;
      readTable(recorded(note), format, take);
    }
  }
  return {
    id: format === 'split' ? head.slot : tail.last,
    slots: descriptors.map(({ slot }) => slot),
    writable,
    firstAddress,
    firstBytes,
  };
}

/** Follows a table as a device does. */
function readTable(
  table: Uint8Array,
  format: 'split' | 'packed',
  take: (address: number, length: number, flags: number) => void,
): void {
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const entries = Math.floor(table.length / 16);
  const flagsAt = format === 'split' ? 12 : 14;
  for (let at = 0, read = 0; at < entries && read < entries; read++) {
    const flags = view.getUint16(16 * at + flagsAt, true);
    const high = view.getUint32(16 * at + 4, true);
    take(view.getUint32(16 * at, true) + high * 2 ** 32, view.getUint32(16 * at + 8, true), flags);
    if (format === 'packed') at++;
    else if ((flags & 1) === 0) return;
    else at = view.getUint16(16 * at + 14, true);
  }
}
