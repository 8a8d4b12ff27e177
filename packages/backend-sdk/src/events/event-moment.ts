import { z } from 'zod';

/** Longest run in picoseconds: moments are integers below 2^53. */
const LONGEST_PS = 2 ** 53 - 1;

/** Moment or duration of an event in integer picoseconds, 0 to 2.5 hours. */
export const picoseconds = z.int().min(0).max(LONGEST_PS);
