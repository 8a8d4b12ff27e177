import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Descriptor } from './fd.ts';
import { checked, libc } from './libc.ts';

const F_GETFL = 3;
const O_NONBLOCK = 0o4000;

/** True when reads and writes of a descriptor answer 'again' instead of waiting. Throws a HostError when it is not open. */
export function isNonBlocking(fd: Descriptor): boolean {
  return (checked(libc.fcntl(fd.number, F_GETFL, 0), 'fcntl F_GETFL', fd.kind) & O_NONBLOCK) !== 0;
}

/** True for an eventfd. */
export function isEventFd(fd: Descriptor): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd.number}`) === 'anon_inode:[eventfd]';
  } catch {
    return false;
  }
}

/** A descriptor of some process as `/proc` shows it. */
export interface ProcessDescriptor {
  readonly number: number;
  /** Where it leads, such as `anon_inode:[eventfd]`, `/memfd:ram (deleted)`, `socket:[123]`. */
  readonly target: string;
  /** Lines of its fdinfo: `pos`, `flags`, and for an eventfd `eventfd-count` and `eventfd-id`. */
  readonly info: ReadonlyMap<string, string>;
}

/** Number of every process that can be seen. */
export function processIds(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Identity of an eventfd, the same in every process that has it; undefined for anything else. */
export function eventFdId(fd: Descriptor): string | undefined {
  return describe('self', fd.number)?.info.get('eventfd-id')?.trim();
}

/** Descriptors of a process; undefined when it has ended or belongs to somebody else. */
export function processDescriptors(pid: number): ProcessDescriptor[] | undefined {
  try {
    const numbers = readdirSync(`/proc/${pid}/fd`).map(Number);
    return numbers.sort((a, b) => a - b).flatMap((number) => describe(pid, number) ?? []);
  } catch {
    return undefined;
  }
}

/** One descriptor as it is now; undefined when it is closed. */
export function processDescriptor(pid: number, number: number): ProcessDescriptor | undefined {
  return describe(pid, number);
}

function describe(pid: number | 'self', number: number): ProcessDescriptor | undefined {
  try {
    const target = readlinkSync(`/proc/${pid}/fd/${number}`);
    const lines = readFileSync(`/proc/${pid}/fdinfo/${number}`, 'latin1').split('\n');
    const info = new Map<string, string>();
    for (const line of lines) {
      const [, key, value] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
      if (key !== undefined) info.set(key, value!);
    }
    return { number, target, info };
  } catch {
    return undefined;
  }
}

/** A mapping of a process: a line of `/proc/PID/maps`. */
export interface ProcessMapping {
  readonly start: number;
  readonly end: number;
  /** Such as `rw-s`. */
  readonly permissions: string;
  readonly fileOffset: number;
  readonly inode: number;
  /** `major:minor` of the file's device. */
  readonly device: string;
  readonly path: string;
}

/** Mappings of a process by address; undefined when it has ended or belongs to somebody else. */
export function processMappings(pid: number): ProcessMapping[] | undefined {
  const text = mapsText(pid);
  return text === undefined ? undefined : parseMaps(text);
}

/** True when a process has mapped some file of these inodes, so that others see what it writes there. */
export function sharesFile(pid: number, inodes: ReadonlySet<number>): boolean {
  const text = mapsText(pid);
  // a process has thousands of mappings, and nearly every one has none of these
  if (text === undefined || ![...inodes].some((inode) => text.includes(` ${inode} `))) return false;
  return parseMaps(text).some(({ inode, permissions }) => inodes.has(inode) && permissions.endsWith('s'));
}

function mapsText(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'latin1');
  } catch {
    return undefined;
  }
}

function parseMaps(text: string): ProcessMapping[] {
  const line = /^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) (\S+) (\d+)[ \t]*(.*)$/gm;
  return [...text.matchAll(line)].map(([, start, end, permissions, offset, device, inode, path]) => ({
    start: Number.parseInt(start!, 16),
    end: Number.parseInt(end!, 16),
    permissions: permissions!,
    fileOffset: Number.parseInt(offset!, 16),
    device: device!,
    inode: Number(inode),
    path: path!,
  }));
}
