import { FAULT_OVERFLOW, FAULT_PERMISSION, FAULT_UNMAPPED } from '@vhostlab/memory';
import { COUNTER } from '../stats/queue-counters.ts';

/** Counter of a chain's status that is not CHAIN_OK: an address, or the chain itself. */
export function dropCounterOf(status: number): number {
  const isAddress = status === FAULT_UNMAPPED || status === FAULT_PERMISSION || status === FAULT_OVERFLOW;
  return isAddress ? COUNTER.drop_address : COUNTER.drop_chain;
}
