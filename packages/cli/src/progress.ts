/** A line that says how far a long command is. */
export interface Progress {
  /** Shows `text` (one line) if the last showing is long enough ago. Cheap enough to call per burst of work. */
  update(text: string): void;
  /** Takes the line away from a terminal; call it before printing anything else. */
  done(): void;
}

/** Where a progress line goes and which clock paces it. */
export interface ProgressOptions {
  write(text: string): void;
  readonly isTerminal: boolean;
  nowMs(): number;
}

const TERMINAL_INTERVAL_MS = 100;
const PLAIN_INTERVAL_MS = 5_000;
const CLEAR_LINE = '\r\u001b[K';

/**
 * Makes a progress line. On a terminal the first update shows at once and later ones rewrite the line; elsewhere
 * (a log file, CI) nothing appears in the first five seconds and a plain line every five seconds after.
 */
export function createProgress({ write, isTerminal, nowMs }: ProgressOptions): Progress {
  const intervalMs = isTerminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS;
  let nextMs = isTerminal ? Number.NEGATIVE_INFINITY : nowMs() + intervalMs;
  let isShown = false;
  return {
    update(text) {
      const now = nowMs();
      if (now < nextMs) {
        return;
      }
      nextMs = now + intervalMs;
      isShown = true;
      write(isTerminal ? CLEAR_LINE + text : `${text}\n`);
    },
    done() {
      if (isShown && isTerminal) {
        write(CLEAR_LINE);
      }
      isShown = false;
    },
  };
}
