import { readFileSync, writeFileSync } from 'node:fs';

/** Huge pages of the default size (2 MiB on x86-64). */
export interface HugePages {
  readonly pageBytes: number;
  readonly total: number;
  readonly free: number;
}

const COUNT_FILE = '/proc/sys/vm/nr_hugepages';

/** The machine's huge pages of the default size, as /proc/meminfo lists them. */
export function hugePages(): HugePages {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return {
    pageBytes: field('Hugepagesize') * 1024,
    total: field('HugePages_Total'),
    free: field('HugePages_Free'),
  };
}

/**
 * Sees to it that `bytes` of huge pages are free, raising their number when this process may. False when the kernel
 * or our rights do not allow it: a peer then runs without (`--no-huge`).
 */
export function ensureHugePages(bytes: number): boolean {
  const { pageBytes, total, free } = hugePages();
  if (pageBytes === 0) return false;
  const missing = Math.ceil(bytes / pageBytes) - free;
  if (missing <= 0) return true;
  try {
    writeFileSync(COUNT_FILE, String(total + missing));
  } catch {
    return false;
  }
  return hugePages().free * pageBytes >= bytes;
}
