import type { BackEndCheck } from '../../check.ts';
import { DESCRIPTORS } from './descriptors.ts';
import { EVENTS } from './events.ts';
import { MEMORY_FAULTS } from './faults.ts';
import { FRAMING, REPLIES, UNKNOWN } from './framing.ts';
import { LEAKS, STORMS } from './leaks.ts';
import { MEMORY } from './memory.ts';
import { MIGRATION } from './migration.ts';
import { ORDER } from './order.ts';
import { RING_BUFFERS } from './ring-buffers.ts';
import { RING_FRAMES } from './ring-frames.ts';
import { RING_NOTIFY } from './ring-notify.ts';
import { PACKED_RINGS } from './ring-packed.ts';
import { RING_SETUP } from './ring-setup.ts';
import { SPLIT_RINGS } from './ring-split.ts';
import { SIZES } from './sizes.ts';

/** Every check of a back end, in the order in which they run: what may end the peer comes last. */
export const BACK_END_CHECKS: readonly BackEndCheck[] = [
  ...FRAMING,
  ...SIZES,
  ...UNKNOWN,
  ...REPLIES,
  ...DESCRIPTORS,
  ...MEMORY,
  ...RING_SETUP,
  ...ORDER,
  ...EVENTS,
  ...MIGRATION,
  ...SPLIT_RINGS,
  ...PACKED_RINGS,
  ...RING_BUFFERS,
  ...RING_FRAMES,
  ...RING_NOTIFY,
  ...STORMS,
  ...LEAKS,
  ...MEMORY_FAULTS,
];
