import { type RingRuleCode, type RingViolation, ringViolation } from '../observe/rules.ts';

/** A rule of what a driver finds in a buffer that came back; the tap, beside the driver, cannot see it. */
export const HEADER_RULE = {
  code: 'rx-num-buffers',
  clause: 'virtio 1.3, 5.1.6.4.1',
  rule: 'num_buffers is the number of buffers that a received packet is spread over',
} as const;

/** What a replay says of a device. */
export interface DeviceViolation {
  readonly code: RingRuleCode | typeof HEADER_RULE.code;
  readonly party: string;
  readonly queue: number;
  readonly text: string;
  readonly clause: string;
}

/** What a driver found wrong with a used buffer, which is no suspicion: the driver alone knows what it has offered. */
export function usedFault(code: RingRuleCode, queue: number, text: string): RingViolation {
  return ringViolation(code, queue, text);
}

/** num_buffers that no packet can have. */
export function headerFault(queue: number, text: string): DeviceViolation {
  return { code: HEADER_RULE.code, party: 'device', queue, text, clause: HEADER_RULE.clause };
}
