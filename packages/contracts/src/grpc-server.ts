import { existsSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { DescMethod } from '@bufbuild/protobuf';
import {
  Metadata,
  Server,
  type ServerCredentials,
  type ServerDuplexStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { type Address, AddressError, parseAddress } from './address.ts';
import { ContractError, toWireStatus } from './errors.ts';
import { asBuffer, byteDefinition } from './grpc-definition.ts';
import { CHANNEL_OPTIONS, ERROR_DETAIL_KEY } from './grpc-options.ts';
import { MessageQueue } from './message-queue.ts';
import { isTokenRight, type Security, serverCredentials, TOKEN_KEY } from './security.ts';
import { type Implementation, serveCall } from './serve-call.ts';
import { STATUS } from './status.ts';
import type { Endpoint } from './tracing.ts';
import type { CallMetadata, IncomingCall } from './transport.ts';

/** What `serveGrpc` is given. */
export interface ServeOptions {
  /** `HOST:PORT` (port 0: the system chooses), `[IPV6]:PORT` or `unix:/path`. */
  readonly listen: string;
  readonly implementations: readonly Implementation[];
  /** Token and certificates; without certificates only this machine may reach the listener. */
  readonly security?: Security;
  /** Told of calls that failed with a fault of this program, for the log. */
  readonly onFault?: (method: DescMethod, error: unknown) => void;
}

const STRANGER = "The call does not carry this lab's token; give both sides the same --token-file.";

/** A listening server. */
export interface GrpcServer {
  /** Where it listens, with the port that the system chose. */
  readonly address: string;
  /** Sets what grpc.health.v1 answers for the whole server and each of its services. */
  setServing(serving: boolean): void;
  /**
   * Drains: health says NOT_SERVING, no new calls, calls in flight may end within `graceMs` (5 s unless said
   * otherwise) and are then cancelled. Removes the socket file.
   */
  close(graceMs?: number): Promise<void>;
}

/**
 * Serves implementations over gRPC with grpc.health.v1 and reflection (v1 and v1alpha; not where a token is asked for).
 * The file of a Unix socket has mode 0600. Throws AddressError with one sentence when the address is malformed, in use,
 * not ours, not permitted, or off loopback without certificates.
 */
export async function serveGrpc(options: ServeOptions): Promise<GrpcServer> {
  const address = parseAddress(options.listen);
  const security = options.security ?? {};
  const credentials = serverCredentials(address, security);
  const server = new Server(CHANNEL_OPTIONS);
  const endpoint: { system: string; address: string; port?: number } = {
    system: 'grpc',
    address: address.socketPath ?? address.host!,
  };
  for (const implementation of options.implementations) {
    server.addService(byteDefinition(implementation.service), handlers(implementation, endpoint, options));
  }
  const names = ['', ...options.implementations.map(({ service }) => service.typeName)];
  const health = new HealthImplementation();
  health.addToServer(server);
  // a lab's own services are asked by nobody else, and loading it takes time
  if (security.token === undefined) {
    (await import('./reflection.ts')).addReflection(server, options.implementations);
  }
  const setServing = (serving: boolean): void => {
    for (const name of names) {
      health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
    }
  };
  if (address.socketPath !== undefined) {
    await removeStaleSocket(address.socketPath, options.listen);
  }
  const port = await bind(server, address, options.listen, credentials);
  if (address.socketPath === undefined) {
    endpoint.port = port;
  }
  setServing(true);
  return {
    address: address.socketPath === undefined ? address.target.replace(/\d+$/, `${port}`) : address.target,
    setServing,
    close: (graceMs = 5000) => {
      setServing(false);
      return drain(server, graceMs);
    },
  };
}

function bind(
  server: Server,
  address: Address,
  listen: string,
  credentials: ServerCredentials,
): Promise<number> {
  // the file must never be there with another mode, not even for a moment
  const mask = address.socketPath === undefined ? undefined : process.umask(0o177);
  return new Promise<number>((resolve, reject) => {
    server.bindAsync(address.target, credentials, (error, port) => {
      if (error === null) {
        resolve(port);
      } else {
        server.forceShutdown();
        reject(new AddressError(bindFailure(error.message, listen), { cause: error }));
      }
    });
  }).finally(() => {
    if (mask !== undefined) process.umask(mask);
  });
}

function bindFailure(why: string, listen: string): string {
  if (why.includes('EADDRINUSE')) {
    return `Address ${listen} is in use; stop the process that listens there or choose another address.`;
  }
  if (why.includes('EADDRNOTAVAIL') || why.includes('ENOTFOUND') || why.includes('Name resolution')) {
    return `Address ${listen} is not one of this host; choose one of its own, such as 127.0.0.1:0.`;
  }
  if (why.includes('EACCES') || why.includes('EPERM')) {
    return `Listening at ${listen} is not permitted; choose a port above 1023 or a folder that you may write to.`;
  }
  return `Listening at ${listen} failed: ${why.replace(/\s+/g, ' ')}.`;
}

/** A socket file that nobody listens at is left over from a killed process; one with a listener stays. */
async function removeStaleSocket(path: string, listen: string): Promise<void> {
  if (!existsSync(dirname(path))) {
    throw new AddressError(`The folder of the socket ${listen} does not exist; create it first.`);
  }
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve('alive');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
  });
  if (answer === 'alive') {
    throw new AddressError(bindFailure('EADDRINUSE', listen));
  }
  if (answer === 'ECONNREFUSED') {
    await unlink(path).catch(() => undefined);
  }
}

function drain(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.forceShutdown(), graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function handlers(
  implementation: Implementation,
  endpoint: Endpoint,
  { onFault, security }: ServeOptions,
): UntypedServiceImplementation {
  return Object.fromEntries(
    implementation.service.methods.map((method) => [
      method.name,
      (call: ServerDuplexStream<Buffer, Buffer>) => {
        const incoming = receive(call);
        const token = security?.token;
        const served =
          token === undefined || isTokenRight(incoming.metadata[TOKEN_KEY], token)
            ? serveCall(implementation, method, incoming, endpoint)
            : Promise.reject(new ContractError('UNAUTHENTICATED', STRANGER));
        served.then(
          () => call.end(),
          (error: unknown) => {
            const status = toWireStatus(error);
            if (status.code === 'INTERNAL' || status.code === 'UNKNOWN') {
              onFault?.(method, error);
            }
            const metadata = new Metadata();
            metadata.set(ERROR_DETAIL_KEY, Buffer.from(status.detail));
            const { number: code } = STATUS[status.code];
            call.emit(
              'error',
              Object.assign(new Error(status.message), { code, details: status.message, metadata }),
            );
          },
        );
      },
    ]),
  );
}

/** A call of grpc-js as an IncomingCall. */
function receive(call: ServerDuplexStream<Buffer, Buffer>): IncomingCall {
  const requests = new MessageQueue<Uint8Array>();
  const abort = new AbortController();
  call.on('data', (bytes: Buffer) => {
    const room = requests.push(bytes);
    if (room !== undefined) {
      call.pause();
      room.then(() => call.resume());
    }
  });
  call.on('end', () => requests.end());
  call.on('cancelled', () => {
    abort.abort();
    requests.fail(new Error('The caller gave the call up or was lost.'));
  });
  const deadline = call.getDeadline();
  const deadlineAt = deadline instanceof Date ? deadline.getTime() : deadline;
  return {
    metadata: fromGrpcMetadata(call.metadata),
    deadlineAt: Number.isFinite(deadlineAt) ? deadlineAt : undefined,
    signal: abort.signal,
    peer: call.getPeer(),
    requests,
    send: (message) => {
      if (call.write(asBuffer(message))) {
        return undefined;
      }
      return new Promise((resolve) => {
        const done = (): void => {
          call.off('drain', done).off('cancelled', done);
          resolve();
        };
        call.on('drain', done).on('cancelled', done);
      });
    },
  };
}

function fromGrpcMetadata(metadata: Metadata): CallMetadata {
  const out: CallMetadata = {};
  for (const [key, value] of Object.entries(metadata.getMap())) {
    if (typeof value === 'string') {
      out[key] = value;
    }
  }
  return out;
}
