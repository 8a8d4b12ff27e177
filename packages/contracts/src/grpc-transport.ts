import type { DescMethod } from '@bufbuild/protobuf';
import {
  type ClientDuplexStream,
  type CallOptions as GrpcCallOptions,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { type Address, parseAddress } from './address.ts';
import { ContractError, callError, fromWireStatus } from './errors.ts';
import { asBuffer, methodPath } from './grpc-definition.ts';
import { CHANNEL_OPTIONS, ERROR_DETAIL_KEY } from './grpc-options.ts';
import { MessageQueue } from './message-queue.ts';
import { channelCredentials, type Security, TOKEN_KEY } from './security.ts';
import { statusName } from './status.ts';
import type { CallMetadata, RawCall, Transport } from './transport.ts';

/**
 * Calls services at `HOST:PORT` or `unix:/path` over gRPC. The connection is made by the first call or by `ready`
 * and made again after it broke. There is no keep-alive: a stopped peer is waited for. With certificates the server must
 * show one for `serverName`, the role that is called, wherever it runs. Throws AddressError.
 */
export function createGrpcTransport(
  address: string,
  { security = {}, serverName }: { security?: Security; serverName?: string } = {},
): Transport {
  const parsed = parseAddress(address);
  const client = new GrpcClient(parsed.target, channelCredentials(parsed, security), {
    ...CHANNEL_OPTIONS,
    ...(serverName === undefined || security.tls === undefined
      ? {}
      : { 'grpc.ssl_target_name_override': serverName }),
  });
  const { token } = security;
  const transport: Transport = {
    system: 'grpc',
    address: parsed.socketPath ?? parsed.host!,
    open: (method, metadata, deadlineAt) =>
      new GrpcCall(
        client,
        parsed,
        method,
        token === undefined ? metadata : { ...metadata, [TOKEN_KEY]: token },
        deadlineAt,
      ),
    ready: (timeoutMs) => ready(client, parsed, timeoutMs),
    close: () => client.close(),
  };
  return parsed.port === undefined ? transport : { ...transport, port: parsed.port };
}

function ready(client: GrpcClient, address: Address, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + timeoutMs, (error) => {
      if (error === undefined || error === null) {
        resolve();
      } else {
        reject(
          new ContractError(
            'UNAVAILABLE',
            `No service answered at ${address.target} within ${timeoutMs} ms.`,
          ),
        );
      }
    });
  });
}

class GrpcCall implements RawCall {
  readonly responses = new MessageQueue<Uint8Array>();
  readonly #call: ClientDuplexStream<Uint8Array, Buffer>;
  readonly #method: DescMethod;
  readonly #address: Address;
  #failure: ContractError | undefined;
  #over = false;

  constructor(
    client: GrpcClient,
    address: Address,
    method: DescMethod,
    metadata: CallMetadata,
    deadlineAt: number | undefined,
  ) {
    const options: GrpcCallOptions = deadlineAt === undefined ? {} : { deadline: deadlineAt };
    this.#method = method;
    this.#address = address;
    this.#call = client.makeBidiStreamRequest(
      methodPath(method),
      asBuffer,
      (bytes: Buffer) => bytes,
      toGrpcMetadata(metadata),
      options,
    );
    // A failed call emits its status as an error and then its end; both may overtake messages that wait in the stream.
    this.#call.on('error', (error: ServiceError) => {
      this.#failure = this.#explain(error);
      this.#over = true;
    });
    this.#call.on('data', (bytes: Buffer) => {
      const room = this.responses.push(bytes);
      if (room !== undefined) {
        this.#call.pause();
        room.then(() => this.#call.resume());
      }
    });
    this.#call.on('status', () => {
      this.#over = true;
      if (this.#call.readableEnded) {
        this.#conclude();
      }
    });
    this.#call.on('end', () => {
      if (this.#over) {
        this.#conclude();
      }
    });
  }

  send(message: Uint8Array): Promise<void> | undefined {
    if (this.#over || this.#call.writableEnded || this.#call.write(message)) {
      return undefined;
    }
    return new Promise((resolve) => {
      const done = (): void => {
        this.#call.off('drain', done).off('status', done);
        resolve();
      };
      this.#call.on('drain', done).on('status', done);
    });
  }

  closeSend(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
    // The stream of a paused call would never reach its end.
    this.#call.resume();
  }

  #conclude(): void {
    if (this.#failure === undefined) {
      this.responses.end();
    } else {
      this.responses.fail(this.#failure);
    }
  }

  #explain(error: ServiceError): ContractError {
    const code = statusName(error.code);
    const detail = error.metadata?.get(ERROR_DETAIL_KEY)[0];
    if (Buffer.isBuffer(detail) && code !== 'OK') {
      return fromWireStatus(this.#method, { code, message: error.details, detail });
    }
    if (code === 'UNAVAILABLE') {
      const why = error.details
        .replace(/^.*Last error: (Error: )?/, '')
        .replace(/\. Resolution note:.*$/, '');
      const reached = !/No connection established|ECONNREFUSED|ENOENT|Name resolution/.test(error.details);
      const what = reached ? 'The connection was lost to' : 'No service answers at';
      return callError(this.#method, code, `${what} ${this.#address.target} (${why}).`);
    }
    return callError(this.#method, code === 'OK' ? 'UNKNOWN' : code, error.details);
  }
}

function toGrpcMetadata(metadata: CallMetadata): Metadata {
  const out = new Metadata();
  for (const [key, value] of Object.entries(metadata)) {
    out.set(key, value);
  }
  return out;
}
