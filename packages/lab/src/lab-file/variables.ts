import { isMap, isScalar, parseDocument, type Scalar, visit } from 'yaml';
import { UsageError } from '../scenario/options.ts';
import type { LocatedDocument } from './located.ts';

/** Value of a variable: what a scalar of YAML can be. */
export type VariableValue = string | number | boolean;

/** `${name}`, `${name:=default}` or `$${`, which stands for `${` itself. */
const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::=([^}]*))?\}/g;
const WHOLE = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::=([^}]*))?\}$/;

/** Pattern of a scalar that names a variable, for the published JSON Schema. */
export const REFERENCE_PATTERN = '\\$\\{[A-Za-z_][A-Za-z0-9_]*(:=[^}]*)?\\}';

/**
 * Puts the values of variables in place of `${name}` and `${name:=default}` in every value of a document (keys are left
 * alone). `vars` of the file declares them, `given` (of the command line) comes first and must name declared ones. A
 * scalar that is one reference and nothing else takes the variable's type. Throws UsageError with the place.
 */
export function substituteVariables(located: LocatedDocument, given: Readonly<Record<string, string>>): void {
  const { document } = located;
  const values = new Map<string, VariableValue>();
  const declared = document.get('vars', true);
  if (isMap(declared)) {
    for (const { key, value } of declared.items) {
      if (isScalar(key) && isScalar(value)) values.set(String(key.value), value.value as VariableValue);
    }
  }
  for (const [name, text] of Object.entries(given)) {
    if (!values.has(name)) {
      const known = [...values.keys()].join(', ');
      throw new UsageError(
        `--var: the lab file declares no variable "${name}"; ${known === '' ? 'it declares none' : `there are ${known}`}`,
      );
    }
    values.set(name, scalarOf(text));
  }
  const lookUp = (node: Scalar, name: string, fallback: string | undefined): VariableValue => {
    const value = values.get(name) ?? (fallback === undefined ? undefined : scalarOf(fallback));
    if (value !== undefined) return value;
    const known = [...values.keys()].join(', ') || 'none';
    throw located.faultAt(
      node,
      `the variable "${name}" has no value; declare it below vars (there are ${known}) or write \${${name}:=VALUE}`,
    );
  };
  visit(document, {
    Pair: (_, pair) => (isScalar(pair.key) && pair.key.value === 'vars' ? visit.SKIP : undefined),
    Scalar: (key, node) => {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
      const whole = WHOLE.exec(node.value);
      if (whole !== null) {
        node.value = lookUp(node, whole[1], whole[2]);
        return;
      }
      const text = node.value.replaceAll(REFERENCE, (_, name: string | undefined, fallback) =>
        name === undefined ? '${' : String(lookUp(node, name, fallback)),
      );
      node.value = node.type === 'PLAIN' ? scalarOf(text) : text;
    },
  });
}

/** What YAML makes of a plain scalar: `7` is a number, `fast` is text. */
function scalarOf(text: string): VariableValue {
  const document = parseDocument(text, { prettyErrors: false });
  const value = document.errors.length === 0 && isScalar(document.contents) ? document.contents.value : text;
  return typeof value === 'number' || typeof value === 'boolean' ? value : text;
}
