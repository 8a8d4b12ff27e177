/** Nanoseconds of the monotonic clock, since some moment of the past; exact below 2^53 (104 days of uptime). */
export function monotonicNs(): number {
  return Number(process.hrtime.bigint());
}

/** Milliseconds since 1970, for names of files and logs. */
export function wallClockMs(): number {
  return Date.now();
}

/** Resolves after `ms` milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
