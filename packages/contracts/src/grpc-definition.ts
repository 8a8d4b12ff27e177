import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

/** A Buffer over the same bytes, as grpc-js wants it. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Path of a method in HTTP/2. */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/**
 * A service as grpc-js's own definition with protobuf-es messages, for programs that use grpc-js directly. Methods
 * are keyed by their names in the proto file, with the local name (`say` for `Say`) as original name.
 */
export function grpcDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.name, definition(method)]));
}

function definition(method: DescMethod): MethodDefinition<Message, Message> {
  const { methodKind: kind, input, output } = method;
  return {
    path: methodPath(method),
    originalName: method.localName,
    requestStream: kind === 'client_streaming' || kind === 'bidi_streaming',
    responseStream: kind === 'server_streaming' || kind === 'bidi_streaming',
    requestSerialize: (value) =>
      asBuffer(toBinary(input, create(input, value as MessageInitShape<typeof input>))),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (value) =>
      asBuffer(toBinary(output, create(output, value as MessageInitShape<typeof output>))),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  };
}

/** A service in bytes and with streams both ways: on the wire all four kinds of calls are that. */
export function byteDefinition(service: DescService): ServiceDefinition {
  const same = (bytes: Buffer): Buffer => bytes;
  return Object.fromEntries(
    service.methods.map((method) => [
      method.name,
      {
        path: methodPath(method),
        requestStream: true,
        responseStream: true,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    ]),
  );
}
