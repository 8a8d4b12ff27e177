import { createSource, createVerifySource } from '@vhostlab/workload';
import { FrontendError } from './errors.ts';
import type { Workload } from './options.ts';

/** An ordinary frame of an MTU of 1500. */
const ORDINARY_BYTES = 1514;

/** Bytes of the longest frame that a workload sends. Throws a FrontendError that says what is wrong with its traffic. */
export function longestFrameOf(workload: Workload): number {
  if (!('traffic' in workload)) return ORDINARY_BYTES;
  const { traffic } = workload;
  const capture = 'capture' in workload ? workload.capture : undefined;
  try {
    if (workload.kind === 'verify') return createVerifySource({ ...traffic, packets: 1 }).maxLength;
    const packets = traffic.kind === 'pcap' ? traffic.packets : 1;
    return createSource(
      { ...traffic, ...(packets === undefined ? {} : { packets }) },
      capture === undefined ? {} : { capture },
    ).maxLength;
  } catch (error) {
    throw new FrontendError(`${(error as Error).message}.`);
  }
}
