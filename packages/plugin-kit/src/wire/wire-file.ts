import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { backendV1, burstV1, STATUS, type StatusCode } from '@vhostlab/contracts';
import { z } from 'zod';
import { PluginUsageError } from '../package/manifest.ts';

/** Services whose calls a recording holds. */
export const WIRE_SERVICES = [backendV1.BackendService, burstV1.BurstService] as const;
export type WireMethod = (typeof WIRE_SERVICES)[number]['methods'][number];

/** Every method that a recording may name, by its full name. */
export const WIRE_METHODS: ReadonlyMap<string, WireMethod> = new Map(
  WIRE_SERVICES.flatMap(({ typeName, methods }) =>
    methods.map((method): [string, WireMethod] => [`${typeName}/${method.name}`, method]),
  ),
);

/** Largest recording that is read. */
const MAX_READ_BYTES = 1024 * 1024 * 1024;
/** Bytes kept free for the line that says how a recording ended. */
const END_BYTES = 256;

const header = z.strictObject({
  vhostlab_wire: z.literal(1),
  plugin: z.string(),
  depth: z.enum(['device', 'burst']),
  started_at: z.string(),
});

const event = z.strictObject({
  /** Microseconds since the beginning of the recording. */
  at_us: z.int().min(0),
  /** Number of the call, from 1. */
  call: z.int().min(1),
  /** open, send, close (of the sending side) and cancel: the host. receive and end: the plugin. */
  do: z.enum(['open', 'send', 'close', 'cancel', 'receive', 'end']),
  /** open: full name of the method. */
  method: z.string().optional(),
  /** send and receive: the message as protobuf's JSON, when that says all of it. */
  message: z.unknown().optional(),
  /** send and receive: its bytes in base64, when JSON would not say all of it. */
  bytes: z.string().optional(),
  /** end: the status of the call, and its text. */
  status: z.enum(Object.keys(STATUS) as [StatusCode]).optional(),
  text: z.string().optional(),
});

const ending = z.strictObject({
  /** complete: everything was recorded. full: the recording had no room for the last `not_recorded` events. */
  end: z.enum(['complete', 'full']),
  calls: z.int().min(0),
  events: z.int().min(0),
  not_recorded: z.int().min(0),
});

/** First line of a recording. */
export type WireHeader = z.infer<typeof header>;
/** One thing that happened on the wire. */
export type WireEvent = z.infer<typeof event>;
/** Last line of a recording. */
export type WireEnding = z.infer<typeof ending>;

/** A recording that was read. */
export interface WireRecording {
  readonly header: WireHeader;
  readonly events: readonly WireEvent[];
  /** Undefined: who recorded was ended before it could say so. */
  readonly ending: WireEnding | undefined;
}

/** Writes a recording: one JSON object per line, at most `maxBytes`; what has no room is counted. */
export class WireWriter {
  readonly #fd: number;
  readonly #startedMs = performance.now();
  #left: number;
  #calls = 0;
  #events = 0;
  #lost = 0;
  #isClosed = false;

  /** Makes the file. Throws PluginUsageError when that cannot be done, or when there is one. */
  constructor(path: string, plugin: { name: string; depth: 'device' | 'burst' }, maxBytes: number) {
    try {
      this.#fd = openSync(path, 'wx', 0o600);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const why = code === 'EEXIST' ? 'exists; name a new file' : `cannot be made (${code})`;
      throw new PluginUsageError(`--file: ${path} ${why}`);
    }
    this.#left = maxBytes - END_BYTES;
    const { name, depth } = plugin;
    const first: WireHeader = {
      vhostlab_wire: 1,
      plugin: name,
      depth,
      started_at: new Date().toISOString(),
    };
    this.#line(first);
  }

  /** Events that had no room so far. */
  get lost(): number {
    return this.#lost;
  }

  /** Number of a call that begins. */
  nextCall(): number {
    this.#calls++;
    return this.#calls;
  }

  /** Adds an event; what comes after one without room is counted, too, so that a recording has no holes. */
  add(part: Omit<WireEvent, 'at_us'>): void {
    if (this.#isClosed) return;
    const at_us = Math.round((performance.now() - this.#startedMs) * 1000);
    if (this.#lost > 0 || !this.#line({ at_us, ...part })) this.#lost++;
    else this.#events++;
  }

  /** Says how it ended. */
  close(): WireEnding {
    const last: WireEnding = {
      end: this.#lost === 0 ? 'complete' : 'full',
      calls: this.#calls,
      events: this.#events,
      not_recorded: this.#lost,
    };
    if (this.#isClosed) return last;
    this.#isClosed = true;
    this.#left = END_BYTES;
    this.#line(last);
    closeSync(this.#fd);
    return last;
  }

  #line(value: object): boolean {
    const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
    if (bytes.length > this.#left) return false;
    this.#left -= bytes.length;
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    return true;
  }
}

/** Reads a recording. Throws PluginUsageError naming the line that is wrong. */
export function readRecording(path: string): WireRecording {
  const fail = (why: string): never => {
    throw new PluginUsageError(`${path}: ${why}`);
  };
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > MAX_READ_BYTES) fail(`it has ${size} bytes, a recording at most ${MAX_READ_BYTES}`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof PluginUsageError) throw error;
    return fail(`it cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const lines = text.split('\n');
  // a line without its end is what was being written when the recorder was ended
  lines.pop();
  const parse = <T>(schema: z.ZodType<T>, at: number): T => {
    let value: unknown;
    try {
      value = JSON.parse(lines[at] ?? '');
    } catch {
      return fail(`line ${at + 1} is not JSON`);
    }
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    const [{ path: field, message }] = result.error.issues as [z.core.$ZodIssue];
    return fail(`line ${at + 1}: ${field.join('.') || 'it'}: ${message}`);
  };
  const first = parse(header, 0);
  const last = lines.length > 1 && (lines.at(-1) ?? '').startsWith('{"end":') ? lines.length - 1 : undefined;
  const ended = last === undefined ? undefined : parse(ending, last);
  const open = new Map<number, WireMethod>();
  const events: WireEvent[] = [];
  for (let at = 1; at < (last ?? lines.length); at++) {
    const one = parse(event, at);
    if (one.do === 'open') {
      const method = WIRE_METHODS.get(one.method ?? '');
      if (method === undefined) fail(`line ${at + 1}: method: there is no ${one.method}`);
      else if (open.has(one.call)) fail(`line ${at + 1}: call ${one.call} is open already`);
      else open.set(one.call, method);
    } else if (!open.has(one.call)) {
      fail(`line ${at + 1}: call ${one.call} was not opened`);
    }
    events.push(one);
  }
  return { header: first, events, ending: ended };
}
