import type { NodeProcess } from './node-process.ts';

/** A vhost-user device of a node. */
export interface NodeDevice {
  /** Port in the lab file, `vhost0` or `port0`. */
  readonly port: string;
  /** The other end, `ovs0:port0`. */
  readonly peer: string;
  readonly socket: string;
  /** Whether this node listens on the socket. */
  readonly listens: boolean;
}

/** What a node is given. */
export interface NodePlace {
  readonly name: string;
  /** Position of the node in its lab; its MAC addresses are made of it. */
  readonly number: number;
  /** Folder of its sockets and files, which is there. */
  readonly folder: string;
  /** File that gets what its programs write. */
  readonly log: string;
  /** Its devices by number. */
  readonly devices: readonly NodeDevice[];
  /** CPUs that this process may run on. */
  readonly allowedCpus: readonly number[];
  /** How our own command is started: program and first arguments. */
  readonly vhostlab: { readonly file: string; readonly args: readonly string[] };
  /** Told of every program at its start. */
  onProcess(process: NodeProcess): void;
}

/** What came of something that a node was asked to do. */
export interface NodeRun {
  readonly isGood: boolean;
  /** The line that matters. */
  readonly result: string;
  /** Everything. */
  readonly output: string;
}

/** A node of a lab on the real clock. The steps are taken in this order, each for all nodes before the next. */
export interface RunningNode {
  /** The program whose process id is shown. */
  readonly main: NodeProcess | undefined;
  /** Variables that help programs beside it to find it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Socket where it takes commands. */
  readonly console?: string;
  /** Virtio features that a back end offers, once it listens. */
  readonly features?: bigint | undefined;
  /** Features that the drivers of a guest have negotiated, all devices together; undefined: it cannot be asked. */
  readonly negotiated?: bigint | undefined;
  /** What it is asked for once everything is ready, in order. */
  readonly asks: readonly string[];
  /** Starts its programs; resolves when they listen. */
  start(stop: AbortSignal): Promise<void>;
  /** Lets it connect to those that listen by now. */
  join(stop: AbortSignal): Promise<void>;
  /** Resolves with how it is known when it works: connected, rings started, prompt or guest there. */
  ready(stop: AbortSignal): Promise<string>;
  /** Does one of `asks`. */
  run(ask: string, stop: AbortSignal): Promise<NodeRun>;
  /** Ends its programs in order; `isLost`: at once. Harmless when repeated. */
  end(isLost: boolean): Promise<void>;
}

/** How long a node may take to listen, and to be ready; emulated guests on a busy machine take their time. */
export const LISTEN_TIMEOUT_MS = 60_000;
export const READY_TIMEOUT_MS = 180_000;
