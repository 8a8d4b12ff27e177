/** What the caller of a failed call should do. */
export type Recovery = 'retry' | 'wait' | 'correct' | 'reconnect' | 'report';

/** A status code of gRPC with what it means here. */
export interface StatusEntry {
  /** Number on the wire. */
  readonly number: number;
  /** When vhostlab's services answer it. */
  readonly meaning: string;
  /** What the caller should do when the error itself does not say. */
  readonly recovery: Recovery;
}

/** The table of status codes of all contracts; the README shows the same table and a test compares the two. */
export const STATUS = {
  OK: { number: 0, meaning: 'The call succeeded.', recovery: 'retry' },
  CANCELLED: { number: 1, meaning: 'The caller gave the call up.', recovery: 'retry' },
  UNKNOWN: {
    number: 2,
    meaning: 'The called program failed without a reason, or is not one of ours.',
    recovery: 'report',
  },
  INVALID_ARGUMENT: {
    number: 3,
    meaning: 'A field is wrong, whatever state the service is in; diagnostics name it.',
    recovery: 'correct',
  },
  DEADLINE_EXCEEDED: {
    number: 4,
    meaning: 'No answer within the time that the caller set; the call may have taken effect.',
    recovery: 'wait',
  },
  NOT_FOUND: { number: 5, meaning: 'No instance has this id.', recovery: 'correct' },
  ALREADY_EXISTS: { number: 6, meaning: 'An instance with this id exists.', recovery: 'correct' },
  PERMISSION_DENIED: {
    number: 7,
    meaning: 'The operating system refused the service something.',
    recovery: 'correct',
  },
  RESOURCE_EXHAUSTED: {
    number: 8,
    meaning: 'A message above 64 MiB, or the service has no room for more.',
    recovery: 'correct',
  },
  FAILED_PRECONDITION: {
    number: 9,
    meaning: 'The service is not in the state that this call needs; another call comes first.',
    recovery: 'wait',
  },
  ABORTED: { number: 10, meaning: 'The run that the call belonged to has ended early.', recovery: 'wait' },
  OUT_OF_RANGE: {
    number: 11,
    meaning: 'A moment or number is outside what the run has.',
    recovery: 'correct',
  },
  UNIMPLEMENTED: {
    number: 12,
    meaning: 'The service does not have this call: another contract or an older version.',
    recovery: 'correct',
  },
  INTERNAL: { number: 13, meaning: 'A fault of the called program.', recovery: 'report' },
  UNAVAILABLE: {
    number: 14,
    meaning: 'Nobody listens at the address, the connection broke, or the service drains.',
    recovery: 'reconnect',
  },
  DATA_LOSS: { number: 15, meaning: 'What arrived is not what was sent.', recovery: 'report' },
  UNAUTHENTICATED: {
    number: 16,
    meaning: 'The call does not carry the token of the lab.',
    recovery: 'correct',
  },
} as const satisfies Record<string, StatusEntry>;

/** Name of a status code of gRPC. */
export type StatusCode = keyof typeof STATUS;

const names = new Map<number, StatusCode>(
  Object.entries(STATUS).map(([name, entry]) => [entry.number, name as StatusCode]),
);

/** Name of a status number; UNKNOWN for numbers that gRPC does not have. */
export function statusName(code: number): StatusCode {
  return names.get(code) ?? 'UNKNOWN';
}
