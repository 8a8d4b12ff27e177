import type { Problem, ProblemCode } from '../codec/problem.ts';
import type { FramingCode } from '../connection/frame-reader.ts';

/** Why a back end refuses a message that is well-formed, or why it is not. */
export type RefusalCode =
  | ProblemCode
  | FramingCode
  | 'unsupported'
  | 'not-negotiated'
  | 'features-unoffered'
  | 'features-running'
  | 'features-device'
  | 'protocol-features-unoffered'
  | 'protocol-features-requirement'
  | 'region-count-zero'
  | 'region-size'
  | 'region-overflow'
  | 'region-overlap'
  | 'region-file'
  | 'region-beyond-file'
  | 'region-unaligned'
  | 'region-slots'
  | 'region-unknown'
  | 'no-room'
  | 'ring-index'
  | 'ring-fd'
  | 'ring-size'
  | 'ring-base'
  | 'ring-value'
  | 'ring-unaligned'
  | 'ring-unmapped'
  | 'ring-overlap'
  | 'ring-running'
  | 'ring-device'
  | 'log-size'
  | 'log-file'
  | 'inflight-size'
  | 'inflight-file'
  | 'inflight-running'
  | 'status-value'
  | 'config-range'
  | 'config-device'
  | 'mtu-range'
  | 'device'
  | 'channel-fd'
  | 'iotlb-type'
  | 'iotlb-range'
  | 'iotlb-unmapped'
  | 'state-value'
  | 'state-running'
  | 'state-device';

/** A message that is not accepted: never acknowledged as success. */
export interface Refusal extends Problem<RefusalCode> {
  /** True when what was before is gone as well: the connection ends even if the refusal can be told. */
  readonly fatal?: boolean;
}

/** Makes a refusal. */
export function refuse(code: RefusalCode, clause: string, text: string): Refusal {
  return { code, clause, text };
}
