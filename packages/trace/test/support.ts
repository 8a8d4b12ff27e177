import { RECORD, RECORD_BYTES, RECORD_EVENT, RECORD_NOTE, RECORD_RUN } from '@vhostlab/engine';
import { type LogPart, type LogSection, mergeLog } from '../src/index.ts';

/** One thing that happens inside a run. Without a packet it belongs to none; with `text` it is a note. */
export interface Entry {
  timePs: number;
  stage: string;
  packet?: number;
  address?: number;
  length?: number;
  text?: string;
}

/** One run of a task, as a process would record it. */
export interface Run {
  core: string;
  task: string;
  startPs: number;
  endPs: number;
  entries: readonly Entry[];
}

/** Encodes runs the way one process writes them: its own string numbers, `runsPerChunk` runs per chunk. */
export function partOf(runs: readonly Run[], runsPerChunk = 2): LogPart {
  const strings: string[] = [];
  const number = (text: string): number => {
    const at = strings.indexOf(text);
    return at >= 0 ? at : strings.push(text) - 1;
  };
  const encoded = runs.map((run) => {
    const bytes = new Uint8Array((1 + run.entries.length) * RECORD_BYTES);
    put(bytes, 0, RECORD_RUN, run.startPs, 0xffffffff, number(run.task), number(run.core), {
      address: run.endPs - run.startPs,
      length: run.entries.length,
      text: 0,
    });
    run.entries.forEach((entry, i) => {
      const isNote = entry.text !== undefined;
      put(
        bytes,
        i + 1,
        isNote ? RECORD_NOTE : RECORD_EVENT,
        entry.timePs,
        entry.packet ?? 0xffffffff,
        number(entry.stage),
        number(run.core),
        {
          address: entry.address ?? 0,
          length: entry.length ?? 0,
          text: isNote ? number(entry.text as string) : 0,
        },
      );
    });
    return bytes;
  });
  const chunks: Uint8Array[] = [];
  for (let i = 0; i < encoded.length; i += runsPerChunk) {
    chunks.push(Buffer.concat(encoded.slice(i, i + runsPerChunk)));
  }
  return { strings, chunks: () => chunks };
}

function put(
  bytes: Uint8Array,
  index: number,
  kind: number,
  timePs: number,
  packet: number,
  stage: number,
  core: number,
  rest: { address: number; length: number; text: number },
): void {
  const view = new DataView(bytes.buffer, index * RECORD_BYTES, RECORD_BYTES);
  view.setBigUint64(RECORD.timePs, BigInt(timePs), true);
  view.setUint32(RECORD.packet, packet, true);
  view.setUint16(RECORD.stage, stage, true);
  view.setUint16(RECORD.core, core, true);
  view.setBigUint64(RECORD.address, BigInt(rest.address), true);
  view.setUint32(RECORD.length, rest.length, true);
  view.setUint16(RECORD.kind, kind, true);
  view.setUint16(RECORD.text, rest.text, true);
}

/** The merged log of sections. */
export function merged(...sections: LogSection[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  mergeLog(sections, (bytes) => chunks.push(bytes.slice()));
  return new Uint8Array(Buffer.concat(chunks));
}
