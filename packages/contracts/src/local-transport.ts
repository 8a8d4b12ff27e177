import type { DescMethod } from '@bufbuild/protobuf';
import { callError, fromWireStatus, toWireStatus } from './errors.ts';
import { MessageQueue } from './message-queue.ts';
import { type Implementation, serveCall } from './serve-call.ts';
import type { CallMetadata, IncomingCall, RawCall, Transport } from './transport.ts';

/** Where embedded services are, in spans and in `ServerContext.peer`. */
const EMBEDDED = 'embedded';
const LOCAL_SYSTEM = 'vhostlab_local';

/**
 * Calls implementations in this process as if they were in another: messages cross as bytes, so no object is shared;
 * deadline, abort, errors and trace context are those of gRPC. Throws when two implementations have one service.
 */
export function createLocalTransport(implementations: readonly Implementation[]): Transport {
  const services = new Map<string, Implementation>();
  for (const implementation of implementations) {
    const name = implementation.service.typeName;
    if (services.has(name)) {
      throw new Error(`${name} is implemented twice in one local transport.`);
    }
    services.set(name, implementation);
  }
  const open = new Set<LocalCall>();
  let closed = false;
  return {
    system: LOCAL_SYSTEM,
    address: EMBEDDED,
    open(method, metadata, deadlineAt) {
      const call = new LocalCall(method, () => open.delete(call));
      if (closed) {
        call.responses.fail(callError(method, 'UNAVAILABLE', 'The local transport is closed.'));
        return call;
      }
      open.add(call);
      call.start(services.get(method.parent.typeName), metadata, deadlineAt);
      return call;
    },
    ready: () => Promise.resolve(),
    close() {
      closed = true;
      for (const call of open) {
        call.cancel();
      }
    },
  };
}

class LocalCall implements RawCall {
  readonly responses = new MessageQueue<Uint8Array>();
  readonly #requests = new MessageQueue<Uint8Array>();
  readonly #abort = new AbortController();
  readonly #method: DescMethod;
  readonly #ended: () => void;

  constructor(method: DescMethod, ended: () => void) {
    this.#method = method;
    this.#ended = ended;
  }

  start(
    implementation: Implementation | undefined,
    metadata: CallMetadata,
    deadlineAt: number | undefined,
  ): void {
    const incoming: IncomingCall = {
      metadata: { ...metadata },
      deadlineAt,
      signal: this.#abort.signal,
      peer: EMBEDDED,
      requests: this.#requests,
      send: (message) => this.responses.push(message),
    };
    this.#serve(implementation, incoming).then(
      () => this.responses.end(),
      (error: unknown) => this.responses.fail(fromWireStatus(this.#method, toWireStatus(error))),
    );
  }

  async #serve(implementation: Implementation | undefined, incoming: IncomingCall): Promise<void> {
    try {
      // As over a socket, nothing of the handler runs before the caller goes on.
      await Promise.resolve();
      if (implementation === undefined) {
        const { typeName } = this.#method.parent;
        throw callError(this.#method, 'UNIMPLEMENTED', `No service ${typeName} is embedded here.`);
      }
      await serveCall(implementation, this.#method, incoming, { system: LOCAL_SYSTEM, address: EMBEDDED });
    } finally {
      this.#ended();
      await this.#requests.return();
    }
  }

  send(message: Uint8Array): Promise<void> | undefined {
    return this.#requests.push(message);
  }

  closeSend(): void {
    this.#requests.end();
  }

  cancel(): void {
    const cancelled = callError(this.#method, 'CANCELLED', 'The call was cancelled.');
    this.#abort.abort(cancelled);
    this.#requests.fail(cancelled);
    this.responses.fail(cancelled);
  }
}
