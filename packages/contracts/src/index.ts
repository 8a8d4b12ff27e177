export {
  clone,
  create,
  equals,
  fromBinary,
  fromJson,
  fromJsonString,
  type MessageInitShape,
  type MessageShape,
  toBinary,
  toJson,
  toJsonString,
} from '@bufbuild/protobuf';
export { type Address, AddressError, parseAddress } from './address.ts';
export { BurstBridge } from './burst/bridge.ts';
export { type BurstChannel, type BurstInstanceInit, PluginFault } from './burst/burst-channel.ts';
export {
  type BurstRequest,
  type BurstResponse,
  decodeBurstRequest,
  decodeBurstResponse,
  encodeBurstRequest,
  encodeBurstResponse,
} from './burst/burst-codec.ts';
export { type ClientOptions, createClient } from './client.ts';
export { type ComponentDefinition, type ConfigFault, componentProgram } from './component-program.ts';
export { ContractError, type ContractErrorOptions } from './errors.ts';
export * as backendV1 from './gen/vhostlab/backend/v1/backend_pb.ts';
export * as burstV1 from './gen/vhostlab/backend/v1/burst_pb.ts';
export * as vhostV1 from './gen/vhostlab/backend/v1/vhost_pb.ts';
export * as commonV1 from './gen/vhostlab/common/v1/common_pb.ts';
export * as planV1 from './gen/vhostlab/common/v1/plan_pb.ts';
export * as deviceV1 from './gen/vhostlab/device/v1/device_pb.ts';
export * as guestV1 from './gen/vhostlab/guest/v1/guest_pb.ts';
export * as controlV1 from './gen/vhostlab/lab/v1/control_pb.ts';
export * as runtimeV1 from './gen/vhostlab/lab/v1/runtime_pb.ts';
export * as framesV1 from './gen/vhostlab/link/v1/frames_pb.ts';
export * as linkV1 from './gen/vhostlab/link/v1/link_pb.ts';
export * as eswitchV1 from './gen/vhostlab/nic/v1/eswitch_pb.ts';
export * as nicV1 from './gen/vhostlab/nic/v1/nic_pb.ts';
export * as datapathV1 from './gen/vhostlab/switch/v1/datapath_pb.ts';
export * as switchV1 from './gen/vhostlab/switch/v1/switch_pb.ts';
export { grpcDefinition } from './grpc-definition.ts';
export { type GrpcServer, type ServeOptions, serveGrpc } from './grpc-server.ts';
export { createGrpcTransport } from './grpc-transport.ts';
export { hello, negotiate, type OwnHello, PROTOCOL_VERSION } from './handshake.ts';
export type { Instance, ServiceProgram } from './instance-table.ts';
export {
  type Created,
  implementLifecycle,
  LIFECYCLE_SERVICES,
  type LifecycleClient,
  lifecycleClient,
  type Role,
} from './lifecycle.ts';
export { createLocalTransport } from './local-transport.ts';
export { MessageQueue } from './message-queue.ts';
export { fromPlanPart, toPlanPart } from './plan-part.ts';
export {
  isLocal,
  loadSecurity,
  MIN_TOKEN_LENGTH,
  type Security,
  TLS_FILES,
} from './security.ts';
export { type Implementation, implement } from './serve-call.ts';
export { type Recovery, STATUS, type StatusCode, type StatusEntry, statusName } from './status.ts';
export { withSpan } from './tracing.ts';
export {
  type CallMetadata,
  MAX_MESSAGE_BYTES,
  type RawCall,
  type Transport,
} from './transport.ts';
export type {
  BidiStream,
  CallOptions,
  Client,
  ClientMethod,
  ClientStream,
  Handler,
  Handlers,
  ServerContext,
  ServerStream,
} from './types.ts';
export { toNumber, toUint64 } from './uint64.ts';
