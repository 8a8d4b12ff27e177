import {
  create,
  type DescMethod,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type BurstResponse, decodeBurstRequest, encodeBurstResponse } from './burst/burst-codec.ts';
import { BurstService } from './gen/vhostlab/backend/v1/burst_pb.ts';

/** What reads the requests and writes the answers of a method. */
interface Codec {
  decode(bytes: Uint8Array): Message;
  encode(value: unknown): Uint8Array;
}

/** Methods whose messages are many: those are read and written by hand. */
const BY_HAND = new Map<DescMethod, Codec>([
  [
    BurstService.method.exchange,
    { decode: decodeBurstRequest, encode: (value) => encodeBurstResponse(value as BurstResponse) },
  ],
]);

/** The request of a method. Throws an Error when the bytes are none. */
export function decodeInput(method: DescMethod, bytes: Uint8Array): Message {
  return BY_HAND.get(method)?.decode(bytes) ?? fromBinary(method.input, bytes);
}

/** The bytes of an answer. */
export function encodeOutput(method: DescMethod, value: unknown): Uint8Array {
  return (
    BY_HAND.get(method)?.encode(value) ??
    toBinary(method.output, create(method.output, value as MessageInitShape<typeof method.output>))
  );
}
