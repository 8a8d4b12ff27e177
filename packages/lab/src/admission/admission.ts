import { UsageError } from '../scenario/options.ts';

/** Whether a machine has what a lab asks for. */
export interface Admission {
  /** What is asked, and what there is. */
  readonly facts: string[];
  /** What will work, and badly. */
  readonly warnings: string[];
  /** What cannot be: node, what it asks, what there is, and the mend. */
  readonly refusals: string[];
}

export function newAdmission(): Admission {
  return { facts: [], warnings: [], refusals: [] };
}

/** Lines for `--dry-run`. */
export function admissionLines({ facts, warnings, refusals }: Admission): string[] {
  return [
    ...facts.map((text) => `admission: ${text}`),
    ...warnings.map((text) => `admission: warning: ${text}`),
    ...refusals.map((text) => `admission: refused: ${text}`),
  ];
}

/** Throws UsageError with the first refusal, if there is one. */
export function demandAdmission({ refusals }: Admission): void {
  const [first, ...more] = refusals;
  if (first === undefined) return;
  const rest = more.length === 0 ? '' : ` (and ${more.length} more; lab up --dry-run lists them)`;
  throw new UsageError(`${first}${rest}`);
}

/** Longest path of a Unix socket, without the 0 behind it (sun_path has 108 bytes). */
const MAX_SOCKET_PATH = 107;
/** What mkdtemp puts in place of its six X. */
const SOCKET_FOLDER = 'vhostlab-XXXXXX';

/** A refusal when the socket `name` in a lab's socket folder would have too long a path. */
export function socketPathProblem(temporary: string, node: string, name: string): string | undefined {
  const path = `${temporary}/${SOCKET_FOLDER}/${name}`;
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH) return undefined;
  return `${node} asks for the socket ${path}, whose path has ${bytes} bytes; a Unix socket's has at most ${MAX_SOCKET_PATH}: set TMPDIR to a folder with a shorter path`;
}
