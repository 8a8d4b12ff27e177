import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml';
import { describeIssue } from '../scenario/describe-issue.ts';
import { type CompareOptionsInput, UsageError } from '../scenario/options.ts';
import { PLACES } from './places.ts';
import { type LabFile, labFileSchema } from './schema.ts';

/** A lab file as `compare` takes it. */
export interface LabDescription {
  name: string;
  /** What the file says, defaults filled in; rules between options are checked by `parseCompareOptions`. */
  options: CompareOptionsInput;
  /** Absolute path of the capture to replay. */
  pcap?: string;
}

/** Most bytes that a lab file may have. */
const MAX_BYTES = 1_000_000;

/** Reads the lab file at `path`; throws UsageError as `readLabFile`, or naming why the file cannot be read. */
export function loadLabFile(path: string): LabDescription {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new UsageError(`cannot read the lab file ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
  if (bytes.length > MAX_BYTES) {
    throw new UsageError(`${path} has ${bytes.length} bytes, a lab file at most ${MAX_BYTES}`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${path} is no lab file: it is not UTF-8 text`);
  }
  return readLabFile(text, path);
}

/**
 * Reads a lab file. `origin` is its path: messages begin with it, and a relative path of a capture starts at its
 * folder. Throws UsageError with line, column, key and mend of the first thing that is wrong.
 */
export function readLabFile(text: string, origin: string): LabDescription {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${origin}:${line}:${col}`;
  };
  const broken = document.errors[0] ?? document.warnings[0];
  if (broken !== undefined) {
    const reason =
      broken.code === 'MULTIPLE_DOCS' ? 'a second document begins here; a lab file is one' : broken.message;
    throw new UsageError(`${at(broken.pos[0])}: no valid YAML: ${reason}`);
  }
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) === undefined) {
        throw new UsageError(
          `${at(alias.range?.[0] ?? 0)}: no valid YAML: there is no anchor &${alias.source} before`,
        );
      }
    },
  });
  if (!isMap(document.contents)) {
    throw new UsageError(`${origin}: a lab file is a mapping that begins with schema: 1 and a name`);
  }
  const parsed = labFileSchema.safeParse(plainValue(document, origin), { error: describeIssue });
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]] : issue.path;
    throw new UsageError(`${at(offsetOf(document, path))}: ${path.join('.')}: ${issue.message}`);
  }
  const { pcap } = parsed.data.system.traffic;
  return {
    name: parsed.data.name,
    options: optionsOf(parsed.data),
    ...(pcap === undefined ? {} : { pcap: resolve(dirname(origin), pcap) }),
  };
}

function plainValue(document: Document, origin: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new UsageError(`${origin}: no valid YAML: ${(error as Error).message}`);
  }
}

function optionsOf(file: LabFile): CompareOptionsInput {
  const options: Record<string, unknown> = {};
  for (const [option, place] of Object.entries(PLACES)) {
    const value = place.reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], file);
    if (value !== undefined) options[option] = value;
  }
  // YAML makes a number of a plain size
  options.size = String(options.size);
  return options as CompareOptionsInput;
}

/** Offset of the innermost thing that the path leads to: the key of a mapping, the entry of a list. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key);
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else {
      node =
        isNode(node) && 'get' in node
          ? (node as { get(k: unknown, keep: boolean): unknown }).get(key, true)
          : undefined;
      offset = startOf(node) ?? offset;
    }
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}
