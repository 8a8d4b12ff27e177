import type { InjectRule } from '../inject/rule.ts';

/** Samples per second that the event loop's timers can do. */
export const MAX_SAMPLE_HZ = 1000;

export interface TapOptions {
  /** Socket that the tap listens at, and the one that it connects to. */
  readonly listen: string;
  readonly connect: string;
  /** The back end connects to `listen`, and the front end listens at `connect`: the other way round than usual. */
  readonly acceptBackend: boolean;
  /** Folder for the files; it exists. */
  readonly out: string;
  /** Steps into kick and call eventfds, so that each one is seen with the ring at that moment. */
  readonly notifications: boolean;
  /** Looks at every ring per second, 0 to MAX_SAMPLE_HZ; 0: at kicks and calls only. */
  readonly sampleHz: number;
  readonly inject: readonly InjectRule[];
  /** Frames kept in frames.pcapng. */
  readonly maxFrames: number;
  /** Guest memory kept for a replay, in MiB. */
  readonly maxRecordMiB: number;
  /** Ends after the first front end has gone. */
  readonly once: boolean;
}

export const DEFAULT_TAP_OPTIONS: TapOptions = {
  listen: '',
  connect: '',
  acceptBackend: false,
  out: '',
  notifications: false,
  sampleHz: MAX_SAMPLE_HZ,
  inject: [],
  maxFrames: 100_000,
  maxRecordMiB: 64,
  once: false,
};

/** One sentence about what is wrong with the options, or null. */
export function checkTapOptions(options: TapOptions): string | null {
  const { listen, connect, sampleHz, out, maxFrames, maxRecordMiB } = options;
  if (listen === '') return '--listen: name the socket that one peer connects to.';
  if (connect === '') return '--connect: name the socket of the other peer.';
  if (listen === connect)
    return `--listen and --connect are both ${listen}; the tap needs a socket of its own.`;
  if (out === '') return '--out: name a folder for the files.';
  if (!(sampleHz >= 0 && sampleHz <= MAX_SAMPLE_HZ)) {
    return `--sample-hz ${sampleHz} is not between 0 and ${MAX_SAMPLE_HZ}.`;
  }
  if (!(maxFrames >= 0)) return `--max-frames ${maxFrames} is below 0.`;
  if (!(maxRecordMiB >= 0)) return `--max-record ${maxRecordMiB} is below 0.`;
  return null;
}
