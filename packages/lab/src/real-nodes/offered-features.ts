import { createConnection } from 'node:net';
import { featureByBit } from '@vhostlab/virtio-net';

/** VHOST_USER_GET_FEATURES (1), version 1, no payload; the answer has the same header with the reply flag, and a u64. */
const GET_FEATURES = 1;
const HEADER_BYTES = 12;
const REPLY_BYTES = HEADER_BYTES + 8;
const TIMEOUT_MS = 10_000;

/** Asks the back end that listens at `socket` for the features that it offers, as any front end does first. Rejects with one sentence. */
export function offeredFeatures(socket: string): Promise<bigint> {
  const { promise, resolve, reject } = Promise.withResolvers<bigint>();
  const request = Buffer.alloc(HEADER_BYTES);
  request.writeUInt32LE(GET_FEATURES, 0);
  request.writeUInt32LE(1, 4);
  let reply = Buffer.alloc(0);
  const connection = createConnection(socket, () => connection.write(request));
  const fail = (why: string): void => reject(new Error(`${socket} was not told its features: ${why}`));
  connection.setTimeout(TIMEOUT_MS, () =>
    connection.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)),
  );
  connection.on('error', (error) => fail(error.message));
  connection.on('close', () => fail('it closed the connection'));
  connection.on('data', (data) => {
    reply = Buffer.concat([reply, data]);
    if (reply.length < REPLY_BYTES) return;
    if (reply.readUInt32LE(0) === GET_FEATURES) resolve(reply.readBigUInt64LE(HEADER_BYTES));
    connection.destroy();
  });
  return promise;
}

/** Features as Linux prints them in `/sys/bus/virtio/devices/virtioN/features`: a digit for each bit, bit 0 first. */
export function parseFeatures(digits: string): bigint {
  return BigInt(`0b${[...digits.trim()].reverse().join('') || '0'}`);
}

/** Names of the bits that are set. */
export function nameFeatures(bits: bigint): string[] {
  return [...Array(64).keys()]
    .filter((bit) => ((bits >> BigInt(bit)) & 1n) === 1n)
    .map((bit) => featureByBit(bit)?.name ?? `bit ${bit}`);
}
