export {
  type DatapathAction,
  decodeActions,
  encodeActions,
  OP_DEC_TTL,
  OP_DROP,
  OP_OUTPUT,
  OP_OUTPUT_COPY,
  OP_POP_VLAN,
  OP_PUSH_VLAN,
  OP_SET,
  PROGRAM_WORDS_MAX,
  programFault,
  sameProgram,
} from './actions.ts';
export * from './charges.ts';
export * from './codec.ts';
export * from './datapath.ts';
export * from './execute.ts';
export { KeyExtractor } from './extract.ts';
export { type FlowStats, FlowTable } from './flow-table.ts';
export { finish, flowHash, mix } from './hash.ts';
export { DatapathHost, type PortOutput } from './host/datapath-host.ts';
export {
  NIC_REGISTERS,
  NIC_VECTOR_RX,
  NicPort,
  type NicPortOptions,
  nicPortWindowBytes,
  pollModeSizes,
  stageRing,
} from './host/nic-port.ts';
export { StagePort } from './host/stage-port.ts';
export type { KernelLookupOptions } from './kernel-lookup.ts';
export * from './key.ts';
export * from './lookup.ts';
export type { OffloadLookupOptions } from './offload-lookup.ts';
export type { Classifier, Subtable } from './subtable.ts';
export type { UserspaceLookupOptions } from './userspace-lookup.ts';
