export { BACKEND_REQUESTS } from './backend/backend-channel.ts';
export type {
  BackendDevice,
  DeviceOffer,
  IotlbChange,
  MemoryChange,
  Refused,
} from './backend/backend-device.ts';
export { BACKEND_MESSAGES, BackendSession } from './backend/backend-session.ts';
export { inflightStride } from './backend/handlers/inflight.ts';
export {
  type CreatedMemory,
  isMapProblem,
  type MapProblem,
  type Mapping,
  type MappingPurpose,
  type MapRequest,
  type MemoryMapper,
} from './backend/memory-mapper.ts';
export { BACKEND_PROTOCOL_FEATURES } from './backend/offer.ts';
export type { Refusal, RefusalCode } from './backend/refusal.ts';
export { MAY_STAY_SILENT } from './backend/refusal-policy.ts';
export { decodeBase, encodeBase, initialBase, type RingBase } from './backend/ring-base.ts';
export type {
  InflightArea,
  IotlbRange,
  LogArea,
  MappedRegion,
  RingAreas,
  RingPlacement,
  RingSetup,
} from './backend/ring-setup.ts';
export type {
  BackendControl,
  BackendSessionOptions,
  SessionCounters,
  SessionObserver,
} from './backend/session-api.ts';
export { decodePayload, fixedSize, isProblem, type PayloadResult } from './codec/decode-payload.ts';
export { encodePayload } from './codec/encode-payload.ts';
export { explainMessage, explainPayload, statusNames } from './codec/explain.ts';
export {
  decodeHeader,
  FLAG_NEED_REPLY,
  FLAG_REPLY,
  FLAG_VERSION,
  frameBytes,
  type Header,
} from './codec/header.ts';
export {
  HEADER_BYTES,
  MAX_CONFIG_BYTES,
  MAX_MESSAGE_FDS,
  MAX_PAYLOAD_BYTES,
  MAX_TABLE_REGIONS,
} from './codec/layouts.ts';
export {
  type Channel,
  type Draft,
  decodeMessage,
  encodeMessage,
  type Message,
  messageName,
  messageRow,
  type Role,
} from './codec/message.ts';
export {
  type ConfigPayload,
  EMPTY,
  type InflightPayload,
  IOTLB_ACCESS_FAIL,
  IOTLB_INVALIDATE,
  IOTLB_MISS,
  IOTLB_UPDATE,
  type Iotlb,
  type MemRegion,
  type Payload,
  type PayloadOf,
  TRANSFER_LOAD,
  TRANSFER_PHASE_STOPPED,
  TRANSFER_SAVE,
  u64Payload,
  VRING_F_LOG,
  type VringAddr,
  type VringFd,
  type VringState,
} from './codec/payload.ts';
export { CLAUSE, clauseOf, type Problem, type ProblemCode, problem } from './codec/problem.ts';
export {
  type CloseReason,
  Connection,
  type ConnectionCounters,
  type ConnectionHandler,
  type ConnectionOptions,
} from './connection/connection.ts';
export { type Frame, FrameReader, type FramingCode, type Taken } from './connection/frame-reader.ts';
export { HostSocket } from './connection/host-socket.ts';
export type { MessageSocket, Received, SocketListener } from './connection/message-socket.ts';
export type { Fd } from './fd.ts';
export type { Frontend } from './frontend/frontend.ts';
export { FrontendSession } from './frontend/frontend-session.ts';
export { FRONTEND_PROTOCOL_FEATURES } from './frontend/negotiate.ts';
export type { Answered } from './frontend/pending.ts';
export { FRONTEND_REQUESTS } from './frontend/request-channel.ts';
export {
  type Answer,
  type BackendRequests,
  type FrontendFailure,
  type FrontendObserver,
  type FrontendOptions,
  FrontendRequestError,
  type Negotiated,
  type RingConfig,
  type SharedRegion,
} from './frontend/session-api.ts';
export {
  BACK,
  BACK_MESSAGES,
  type BackMessage,
  type BackName,
  backMessage,
} from './registry/back-messages.ts';
export {
  FRONT,
  FRONT_MESSAGES,
  type FrontMessage,
  type FrontName,
  frontMessage,
  frontMessageNamed,
} from './registry/front-messages.ts';
export { type NetUse, type PayloadKind, PEERS, type Peer, SOURCES, type Source } from './registry/kinds.ts';
export {
  missingRequirements,
  PROTOCOL_F,
  PROTOCOL_FEATURES,
  type ProtocolFeature,
  type ProtocolFeatureName,
  protocolFeatureNames,
  protocolMask,
} from './registry/protocol-features.ts';
export {
  F_ACCESS_PLATFORM,
  F_EVENT_IDX,
  F_LOG_ALL,
  F_PROTOCOL_FEATURES,
  F_RING_PACKED,
  VIRTIO_FEATURES,
  virtioFeatureNames,
} from './registry/virtio-features.ts';
