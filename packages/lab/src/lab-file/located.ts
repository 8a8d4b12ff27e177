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
import { UsageError } from '../scenario/options.ts';

/** A YAML document that knows where each of its keys stands, for messages. */
export interface LocatedDocument {
  document: Document;
  /** UsageError with file, line, column, the key's path and what would be right. */
  fault(path: readonly PropertyKey[], message: string): UsageError;
  /** The same for the place of one node of the document. */
  faultAt(node: Node, message: string): UsageError;
}

/** Parses the text of one YAML 1.2 document whose root is a mapping. Throws UsageError with the place of the fault. */
export function parseLocated(text: string, origin: string): LocatedDocument {
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
  return {
    document,
    fault: (path, message) =>
      new UsageError(`${at(offsetOf(document, path))}: ${path.join('.')}: ${message}`),
    faultAt: (node, message) => new UsageError(`${at(startOf(node) ?? 0)}: ${message}`),
  };
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
