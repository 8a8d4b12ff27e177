/** Nanoseconds of the monotonic clock, since some moment of the past; exact below 2^53 (104 days of uptime). */
export function monotonicNs(): number {
  return Number(process.hrtime.bigint());
}

/** Milliseconds of the monotonic clock with a fraction, since this thread began: for hot loops, as it makes no garbage. */
export function monotonicMs(): number {
  return performance.now();
}

/** Milliseconds since 1970, for names of files and logs. */
export function wallClockMs(): number {
  return Date.now();
}

/** Resolves after `ms` milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The value of a promise, or undefined when it takes longer than `ms` milliseconds. The promise itself goes on. */
export function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
