import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { CallMetadata } from './transport.ts';

/** What a handler knows of the call that it serves. */
export interface ServerContext {
  /** Full name of the method, `vhostlab.guest.v1.GuestService/Create`. */
  readonly method: string;
  readonly metadata: CallMetadata;
  /** Moment of the wall clock in milliseconds since 1970 at which the caller gives up; undefined: never. */
  readonly deadlineAt: number | undefined;
  /** Aborted when the caller gives the call up or is lost. */
  readonly signal: AbortSignal;
  /** Where the caller is, for logs. */
  readonly peer: string;
}

/** How a call is made. */
export interface CallOptions {
  /** Milliseconds of wall clock until DEADLINE_EXCEEDED, 1 to 2^31 - 1; Infinity: no deadline. */
  timeoutMs?: number;
  /** Gives the call up with CANCELLED. */
  signal?: AbortSignal;
  /** Text metadata to send along; keys in lower case. */
  metadata?: CallMetadata;
}

/** The answers of a server-streaming call. Leaving the loop early cancels the call. */
export interface ServerStream<O> extends AsyncIterable<O> {
  /** Gives the call up. */
  cancel(): void;
}

/** A client-streaming call. */
export interface ClientStream<I, O> {
  /** Sends a message; resolves when the transport has room for the next one. */
  send(message: I): Promise<void>;
  /** Ends the sending side and waits for the answer. */
  finish(): Promise<O>;
  /** Gives the call up. */
  cancel(): void;
}

/** A bidirectional call: iterate for what arrives, `send` meanwhile. Leaving the loop early cancels the call. */
export interface BidiStream<I, O> extends AsyncIterable<O> {
  /** Sends a message; resolves when the transport has room for the next one. */
  send(message: I): Promise<void>;
  /** No more messages will be sent; answers may still come. */
  closeSend(): void;
  /** Takes the next answer; undefined after the last. Not together with a loop. */
  receive(): Promise<O | undefined>;
  /** Gives the call up. */
  cancel(): void;
}

type Kind<M extends DescMethod, K extends DescMethod['methodKind']> = M extends { methodKind: K } ? M : never;
type In<M extends { input: DescMessage }> = MessageShape<M['input']>;
type Out<M extends { output: DescMessage }> = MessageShape<M['output']>;
type InInit<M extends { input: DescMessage }> = MessageInitShape<M['input']>;
type OutInit<M extends { output: DescMessage }> = MessageInitShape<M['output']>;
type Awaitable<T> = T | Promise<T>;

/** The client's function of one method. */
export type ClientMethod<M extends DescMethod> =
  M extends Kind<M, 'unary'>
    ? (request: InInit<M>, options?: CallOptions) => Promise<Out<M>>
    : M extends Kind<M, 'server_streaming'>
      ? (request: InInit<M>, options?: CallOptions) => ServerStream<Out<M>>
      : M extends Kind<M, 'client_streaming'>
        ? (options?: CallOptions) => ClientStream<InInit<M>, Out<M>>
        : (options?: CallOptions) => BidiStream<InInit<M>, Out<M>>;

/** A typed promise client of a service. */
export type Client<S extends DescService> = {
  readonly [K in keyof S['method']]: ClientMethod<S['method'][K]>;
};

/** The handler of one method. Throw a ContractError to refuse; anything else thrown answers INTERNAL. */
export type Handler<M extends DescMethod> =
  M extends Kind<M, 'unary'>
    ? (request: In<M>, context: ServerContext) => Awaitable<OutInit<M>>
    : M extends Kind<M, 'server_streaming'>
      ? (request: In<M>, context: ServerContext) => AsyncIterable<OutInit<M>>
      : M extends Kind<M, 'client_streaming'>
        ? (requests: AsyncIterable<In<M>>, context: ServerContext) => Awaitable<OutInit<M>>
        : (requests: AsyncIterable<In<M>>, context: ServerContext) => AsyncIterable<OutInit<M>>;

/** Handlers of all methods of a service. */
export type Handlers<S extends DescService> = { readonly [K in keyof S['method']]: Handler<S['method'][K]> };
