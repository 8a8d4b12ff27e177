/**
 * The event log's record (docs/event-log.md): 32 bytes, little endian. A run of a task is one RUN record
 * followed by the records of what happened in it, so a log is ordered by (start of run, core).
 */
export const RECORD_BYTES = 32;

export const RECORD = {
  /** u64: virtual time in picoseconds (RUN: start of the run). */
  timePs: 0,
  /** u32: packet number, 0xffffffff for none. */
  packet: 8,
  /** u16: string number of the stage (RUN: of the task). */
  stage: 12,
  /** u16: string number of the core. */
  core: 14,
  /** u64: address or first argument (RUN: duration in picoseconds). */
  address: 16,
  /** u32: length or second argument (RUN: records that follow). */
  length: 24,
  /** u16: kind, see RecordKind. */
  kind: 28,
  /** u16: string number of a note's text (RUN: the task's answer). */
  text: 30,
} as const;

export const RECORD_EVENT = 0;
export const RECORD_RUN = 1;
export const RECORD_NOTE = 2;

/** Packet number of records that belong to no packet. */
export const NO_PACKET = 0xffffffff;
