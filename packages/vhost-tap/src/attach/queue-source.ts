import type { TamperedSignal } from './queue-look.ts';

/** Bytes of a file: where an area of a ring is. */
export interface FileArea {
  /** Inode of the file. */
  readonly inode: number;
  readonly fileOffset: number;
  readonly bytes: number;
}

/** `eventfd-id` of every eventfd on a ring's way, the tap's own included. */
export interface EventIds {
  readonly kick: readonly string[];
  readonly call: readonly string[];
}

/** A ring of the process, before anything of it is mapped. */
export interface FoundQueue {
  /** QEMU's name of the device, or the number of the tap's session. */
  readonly device: string;
  readonly queue: number;
  readonly format: 'split' | 'packed';
  readonly size: number;
  readonly hasEvents: boolean;
  /** Null: not known. */
  readonly isEnabled: boolean | null;
  readonly descArea: FileArea;
  readonly driverArea: FileArea;
  readonly deviceArea: FileArea;
  /** Null: not known. */
  readonly events: EventIds | null;
  readonly tamperedKick: TamperedSignal | null;
  readonly tamperedCall: TamperedSignal | null;
}

/** What an operator has to mend, in one sentence. */
export class AttachError extends Error {
  override readonly name = 'AttachError';
  readonly exitCode = 2;
}

/** Bytes of the three areas. */
export function areaBytes(
  format: 'split' | 'packed',
  size: number,
  hasEvents: boolean,
): [number, number, number] {
  const event = hasEvents ? 2 : 0;
  return format === 'split' ? [16 * size, 4 + 2 * size + event, 4 + 8 * size + event] : [16 * size, 4, 4];
}
