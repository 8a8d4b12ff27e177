import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Document } from 'yaml';
import type { z } from 'zod';
import { describeIssue } from '../scenario/describe-issue.ts';
import { type CompareOptionsInput, UsageError } from '../scenario/options.ts';
import { durationNs } from './duration.ts';
import { initialSettings } from './events/link.ts';
import { resolveEvents } from './events/resolve-events.ts';
import { parseLocated } from './located.ts';
import { PLACES } from './places.ts';
import { resolvePlugins } from './plugins.ts';
import { atFolder, type RealLab, resolveRealLab } from './real-lab.ts';
import { type LabFile, labFileSchema } from './schema.ts';
import { resolveTopology, type Topology } from './topology.ts';
import { substituteVariables } from './variables.ts';

/** A lab file, read and checked. */
export interface LabDescription {
  name: string;
  /** What the file says, defaults filled in; rules between options are checked by `parseCompareOptions`. */
  options: CompareOptionsInput;
  /** Absolute path of the capture to replay. */
  pcap?: string;
  /** Nodes, links, and where the services run. */
  topology: Topology;
  /** With `time: {clock: real}`: what runs instead of the services, whose options and topology mean nothing then. */
  real?: RealLab;
  /** Milliseconds that a silent service may hold a run of `vhostlab lab`. */
  stallTimeoutMs: number;
}

/** Values that win over those of `vars`, by name. */
export type GivenVariables = Readonly<Record<string, string>>;

/** Most bytes that a lab file may have. */
const MAX_BYTES = 1_000_000;

/** Reads the lab file at `path`; throws UsageError as `readLabFile`, or naming why the file cannot be read. */
export function loadLabFile(path: string, given: GivenVariables = {}): LabDescription {
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
  return readLabFile(text, path, given);
}

/**
 * Reads a lab file. `origin` is its path: messages begin with it, and a relative path of a capture starts at its
 * folder. Throws UsageError with line, column, key and mend of the first thing that is wrong.
 */
export function readLabFile(text: string, origin: string, given: GivenVariables = {}): LabDescription {
  const located = parseLocated(text, origin);
  substituteVariables(located, given);
  const parsed = labFileSchema.safeParse(plainValue(located.document, origin), { error: describeIssue });
  if (!parsed.success) {
    const { path, message } = innermost(parsed.error.issues[0], []);
    throw located.fault(path, message);
  }
  const file = parsed.data;
  if (file.time.clock === 'real')
    return realDescription(file, resolveRealLab(file, located), dirname(resolve(origin)));
  const topology = resolvePlugins(file, resolveTopology(file, located), located, dirname(resolve(origin)));
  if (file.events !== undefined)
    file.events = resolveEvents(file.events, topology, file.system.hosts ?? {}, located);
  const { pcap } = file.system.traffic;
  return {
    name: file.name,
    options: optionsOf(file, topology),
    ...(pcap === undefined ? {} : { pcap: resolve(dirname(origin), pcap) }),
    topology,
    stallTimeoutMs: durationNs(file.time.stallTimeout) / 1e6,
  };
}

/** A lab on the real clock; paths of its nodes start at the folder of the file. */
function realDescription(file: LabFile, real: RealLab, folder: string): LabDescription {
  const none = { how: 'embedded' as const };
  return {
    name: file.name,
    options: {},
    topology: {
      nodes: [],
      links: real.links.map(({ ends }) => ends),
      services: { guest: none, backend: none, switch: none, nic: none },
    },
    real: atFolder(real, folder),
    stallTimeoutMs: durationNs(file.time.stallTimeout) / 1e6,
  };
}

/** The issue that tells most: of the forms that a value may have, that of which it has the shape. */
function innermost(
  issue: z.core.$ZodIssue,
  above: readonly PropertyKey[],
): { path: readonly PropertyKey[]; message: string } {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') return { path: [...path, issue.keys[0]], message: issue.message };
  if (issue.code === 'invalid_key') return { path, message: issue.issues[0]?.message ?? issue.message };
  if (issue.code === 'invalid_union') {
    const tried = issue.errors.map(([first]) => first);
    const inside = tried.find((one) => one.path.length > 0 || one.code === 'unrecognized_keys');
    if (inside !== undefined) return innermost(inside, path);
  }
  return { path, message: issue.message };
}

function plainValue(document: Document, origin: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new UsageError(`${origin}: no valid YAML: ${(error as Error).message}`);
  }
}

function optionsOf(file: LabFile, { services, wireSettings }: Topology): CompareOptionsInput {
  const options: Record<string, unknown> = {};
  for (const [option, place] of Object.entries(PLACES)) {
    const value = place.reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], file);
    if (value !== undefined) options[option] = value;
  }
  if (wireSettings !== undefined) options.events = [initialSettings(wireSettings), ...(file.events ?? [])];
  // YAML makes a number of a plain size
  options.size = String(options.size);
  // the command knows two placements; what goes beyond is in the topology
  const hows = new Set(Object.values(services).map(({ how }) => how));
  options.placement = hows.size === 1 && hows.has('process') ? 'process' : 'embedded';
  return options as CompareOptionsInput;
}
