import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** What a process holds at this moment. */
export interface ProcessFacts {
  /** File name of its program; where that may not be asked, what the kernel calls it, 15 characters at most. */
  name: string;
  /** Open file descriptors. */
  descriptors: number;
  /** Mappings of memory: lines of `/proc/PID/maps`. */
  mappings: number;
  /** Resident memory, in bytes. */
  residentBytes: number;
}

const PAGE_BYTES = 4096;

/** Asks `/proc` about a process; undefined when it has ended or belongs to somebody else. */
export function processFacts(pid: number): ProcessFacts | undefined {
  try {
    const descriptors = readdirSync(`/proc/${pid}/fd`).length;
    const maps = readFileSync(`/proc/${pid}/maps`, 'latin1');
    // one that has ended, and whose parent has not asked yet how
    if (maps === '') return undefined;
    const pages = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1];
    return {
      name: programName(pid),
      descriptors,
      mappings: maps.split('\n').length - 1,
      residentBytes: Number(pages) * PAGE_BYTES,
    };
  } catch {
    return undefined;
  }
}

function programName(pid: number): string {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  }
}
