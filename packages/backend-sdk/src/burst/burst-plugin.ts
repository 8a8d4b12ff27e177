import type { commonV1 } from '@vhostlab/contracts';
import { z } from 'zod';
import { checkName, type PluginCapability, schemaJson } from '../plugin.ts';

/** Most frames of a burst, and most outputs of an answer. */
export const BURST_FRAMES = 64;
export const BURST_OUTPUTS = 256;
export const MIN_FRAME_BYTES = 14;
export const MAX_FRAME_BYTES = 65_550;
/** Longest that a frame may be kept. */
export const MAX_DELAY_PS = 1e12;

/** Frames that came in at one port. */
export interface Burst {
  /** 1 is the wire, 10 + g is guest g. */
  readonly port: number;
  /** Moment in picoseconds since the start of the run. */
  readonly nowPs: number;
  /** The frames without FCS. They may be changed in place only if they are sent as `frame`. */
  readonly frames: readonly Uint8Array[];
}

/** What becomes of a burst. Each of its frames is sent or dropped, none is forgotten. */
export interface BurstAnswer {
  /**
   * Sends frame `source` of the burst out by `port`: `delayPs` later (0 to 10^12), with `frame` as its bytes when it
   * was changed. A frame that came of none repeats the one that caused it.
   */
  send(port: number, source: number, change?: { delayPs?: number; frame?: Uint8Array }): void;
  /** Drops `count` frames of the burst; the reason is lower case with underscores. */
  drop(reason: string, count?: number): void;
  /** Work on the stated machine: an operation of the cost profile, how often, and how many bytes it was about. */
  charge(op: string, count: number, bytes: number): void;
}

/** What an instance is given for free. */
export interface BurstTools {
  /** Deterministic random numbers in [0, 1), by the seed of the run. */
  random(): number;
  /** Adds to a counter, which ends up in the statistics of the instance. */
  count(name: string, by?: number): void;
  /** One line for the log. */
  log(text: string): void;
}

/** One instance: a core of a run. */
export interface BurstInstance {
  burst(burst: Burst, answer: BurstAnswer): void;
  /** The run is over. */
  stop?(): void;
}

/** What a burst plugin's author writes. */
export interface BurstPluginInit<O> {
  name: string;
  summary: string;
  /** Version as in semantic versioning; default 0.1.0. */
  version?: string;
  /** Its options; unknown keys are refused by name. None when absent. */
  options?: z.ZodType<O>;
  /** What it can do besides what every burst plugin can. */
  capabilities?(peer: readonly commonV1.Capability[]): PluginCapability[];
  create(options: O, tools: BurstTools): BurstInstance;
}

/** What a burst plugin is. */
export interface BurstPlugin extends BurstPluginInit<never> {
  readonly depth: 'burst';
  readonly version: string;
  readonly optionsSchema: z.ZodType;
  readonly optionsSchemaJson: string;
}

/** Makes a burst plugin of what its author wrote. Throws when it cannot be named so. */
export function defineBurstPlugin<O>(init: BurstPluginInit<O>): BurstPlugin {
  checkName(init.name);
  const optionsSchema: z.ZodType = init.options ?? z.strictObject({});
  return {
    ...(init as unknown as BurstPluginInit<never>),
    depth: 'burst',
    version: init.version ?? '0.1.0',
    optionsSchema,
    optionsSchemaJson: schemaJson(optionsSchema),
  };
}
