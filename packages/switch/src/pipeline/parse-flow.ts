import { DEFAULT_PRIORITY, type FlowRule, TABLE_COUNT } from './flow-tables.ts';
import { parseActions } from './parse-actions.ts';
import { missingPrerequisite, parseMatchKey } from './parse-match.ts';
import { FlowSyntaxError, parseNumber } from './parse-values.ts';
import { anyMatch, type Match } from './words.ts';

/** Ports that flows may name: name to number. */
export type PortNames = ReadonlyMap<string, number>;
const NO_NAMES: PortNames = new Map();

/**
 * Parses a flow in the form of ovs-ofctl: `table=0,priority=10,in_port=1,ip,nw_dst=10.0.0.0/8,actions=output:2`.
 * Throws a FlowSyntaxError, one sentence that names the flow and what is wrong in it.
 */
export function parseFlow(text: string, ports: PortNames = NO_NAMES): FlowRule {
  try {
    return parse(text, ports);
  } catch (error) {
    if (!(error instanceof FlowSyntaxError)) throw error;
    throw new FlowSyntaxError(`flow "${text.trim()}": ${error.message}`);
  }
}

/** Parses one flow a line; empty lines and those that begin with `#` are skipped. */
export function parseFlows(text: string, ports: PortNames = NO_NAMES): FlowRule[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => parseFlow(line, ports));
}

/** Parses the match of a flow alone: what stands before `actions=`. */
export function parseMatch(
  text: string,
  ports: PortNames = NO_NAMES,
): { match: Match; rest: Map<string, string> } {
  const match = anyMatch();
  const keys: string[] = [];
  const rest = new Map<string, string>();
  for (const part of text.split(',')) {
    if (part.trim() === '') continue;
    const equals = part.indexOf('=');
    const key = (equals < 0 ? part : part.slice(0, equals)).trim();
    const value = equals < 0 ? '' : part.slice(equals + 1).trim();
    if (['table', 'priority', 'cookie'].includes(key)) rest.set(key, value);
    else if (parseMatchKey(match, key, value, (name) => portNumber(name, ports))) keys.push(key);
    else throw new FlowSyntaxError(`unknown key "${key}"`);
  }
  for (const key of keys) {
    const missing = missingPrerequisite(match, key);
    if (missing !== '') throw new FlowSyntaxError(missing);
  }
  return { match, rest };
}

function parse(text: string, ports: PortNames): FlowRule {
  const [, before, actions] = /^(.*?)(?:^|[,\s])actions=(.*)$/s.exec(text) ?? [];
  if (actions === undefined) throw new FlowSyntaxError('it has no actions=');
  const { match, rest } = parseMatch(before, ports);
  return {
    table: Number(parseNumber(rest.get('table') ?? '0', BigInt(TABLE_COUNT - 1), 'table')),
    priority: Number(parseNumber(rest.get('priority') ?? String(DEFAULT_PRIORITY), 0xffffn, 'priority')),
    cookie: parseNumber(rest.get('cookie') ?? '0', (1n << 64n) - 1n, 'cookie'),
    match,
    actions: parseActions(actions, (name) => portNumber(name, ports)),
  };
}

function portNumber(text: string, ports: PortNames): number {
  const named = ports.get(text);
  if (named !== undefined) return named;
  if (!/^\d+$/.test(text)) throw new FlowSyntaxError(`there is no port "${text}"`);
  return Number(parseNumber(text, 0xffffn, 'port'));
}
