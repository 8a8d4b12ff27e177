import type { FrontEndCheck } from '../../check.ts';
import { FRONT_END_CHANNEL } from './channel.ts';
import { FRONT_END_REPLIES } from './replies.ts';
import { FRONT_END_RINGS } from './rings.ts';

/** Every check of a front end, in the order in which they run. */
export const FRONT_END_CHECKS: readonly FrontEndCheck[] = [
  ...FRONT_END_REPLIES,
  ...FRONT_END_CHANNEL,
  ...FRONT_END_RINGS,
];
