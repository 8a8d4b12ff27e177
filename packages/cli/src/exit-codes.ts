/** Exit statuses of `vhostlab`; the table in `--help` is made from `EXIT_CODES`. */
export const EXIT_OK = 0;
export const EXIT_RUN_FAILED = 1;
export const EXIT_BAD_USAGE = 2;
export const EXIT_INCOMPLETE = 3;
export const EXIT_INTERRUPTED = 130;

/** Every exit status with its meaning, in the order of the help text. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT_OK, 'the command did what it was asked'],
  [EXIT_RUN_FAILED, 'the run failed'],
  [EXIT_BAD_USAGE, 'bad usage or bad input: a flag, a file or a name; the message says which'],
  [EXIT_INCOMPLETE, 'a service died or went away: the run folder is incomplete and says so'],
  [EXIT_INTERRUPTED, 'interrupted by SIGINT or SIGTERM'],
];
