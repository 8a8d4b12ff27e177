import { z } from 'zod';

/** A time as lab files and options write it: `10us`. */
export const duration = z
  .string({ error: ({ input }) => `must be a time such as 10us, not ${JSON.stringify(input)}` })
  .regex(/^\d+(\.\d+)?(ns|us|ms|s)$/, {
    error: ({ input }) => `must be a time such as 10us, not "${input}"; units are ns, us, ms and s`,
  });

const UNITS_NS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

/** Nanoseconds of a time such as `10us`, which the schema has checked. */
export function durationNs(text: string): number {
  const unit = /[a-z]+$/.exec(text)?.[0] ?? 'ns';
  return Number(text.slice(0, -unit.length)) * (UNITS_NS[unit] ?? 1);
}

const LONGEST_PS = 2 ** 53 - 1;

/** A moment or time of a run: no longer than runs are. */
export const runTime = duration.refine((text) => durationPs(text) <= LONGEST_PS, {
  error: ({ input }) => `${input} is longer than a run can be, 2.5 hours`,
});

/** The same in integer picoseconds. */
export function durationPs(text: string): number {
  return Math.round(durationNs(text) * 1000);
}
