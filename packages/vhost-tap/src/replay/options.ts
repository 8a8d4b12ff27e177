/** How a record is played. */
export interface ReplayOptions {
  /** Folder that a tap has written. */
  readonly folder: string;
  /** Socket of the back end, which listens. */
  readonly socketPath: string;
  /** `recorded`: with the pauses that the record has; `fast`: without. */
  readonly speed: 'recorded' | 'fast';
  /** Times that the record is played, each with connections of its own. */
  readonly repeat: number;
  /** Longest wait for an answer, or for a buffer that comes back. */
  readonly timeoutMs: number;
  /** The same for a receive buffer: that nothing arrives here as it did in the record is nobody's fault. */
  readonly receiveTimeoutMs: number;
}

export const DEFAULT_REPLAY_OPTIONS: ReplayOptions = {
  folder: '',
  socketPath: '',
  speed: 'recorded',
  repeat: 1,
  timeoutMs: 2000,
  receiveTimeoutMs: 300,
};

/** One sentence about what is wrong with the options, or null. */
export function checkReplayOptions({
  folder,
  socketPath,
  speed,
  repeat,
  timeoutMs,
}: ReplayOptions): string | null {
  if (folder === '') return 'name the folder that a tap has written.';
  if (socketPath === '') return '--socket-path: name the socket of the back end.';
  if (speed !== 'recorded' && speed !== 'fast') return `--speed ${speed} is neither recorded nor fast.`;
  if (!(Number.isInteger(repeat) && repeat >= 1)) return `--repeat ${repeat} is not 1 or more.`;
  if (!(timeoutMs >= 1)) return `--timeout ${timeoutMs} is not 1 ms or more.`;
  return null;
}
