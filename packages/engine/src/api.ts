import type { Arena, Publisher } from '@vhostlab/memory';

/** Virtual time in integer picoseconds since the start of the run; below 2^53 (2.5 hours). */
export type Ps = number;

/** What one run of a task answers (ADR 0002). */
export const DONE = 0;
/** Nothing to do: park until a message, a timer or the next poll boundary. */
export const IDLE = 1;
/** Full barrier: run this task again when everything this core has published is visible to its readers. */
export const BARRIER = 2;
/** Nothing else runs on this core until the ticket given to `CoreContext.holdOn` completes. */
export const HOLD = 3;
export type TaskResult = typeof DONE | typeof IDLE | typeof BARRIER | typeof HOLD;

/** What a component puts on a core. State lives in the task; a run handles at most one burst. */
export interface Task {
  readonly name: string;
  run(budget: number): TaskResult;
}

/** The answer that a component waits for: a register read, a control request, a delay. */
export interface Ticket {
  readonly done: boolean;
  /** Register reads: the value. Requests: the status code, 0 for success. */
  readonly value: number;
  /** Requests: the answer's bytes. */
  readonly bytes: Uint8Array;
  /** True when a core that waits for it does nothing else (a register read stalls the CPU). */
  readonly holds: boolean;
  /** Delays: moment at which it completes; Infinity for tickets that a message completes. */
  readonly atPs: Ps;
}

/** A start-up or control path: yields tickets, is resumed on its core when they complete. */
export type Procedure<T = void> = Generator<Ticket, T, Ticket>;

/** How much work a step was; charged once per burst and step. */
export interface Meter {
  /** Charges `count` operations over `bytes` bytes in total; the core's time advances by the profile's cost. */
  charge(op: number, count: number, bytes: number): void;
  /** Hardware that overlaps its steps: counts and books stage time, the core's time stays. */
  book(op: number, count: number, bytes: number, ps: Ps): void;
}

/** Events of sampled packets. Costs nothing measurable for packets that are not sampled. */
export interface Recorder {
  /** True when events of this packet are kept. `packet` is the run-wide packet number; below 0: none. */
  sampled(packet: number): boolean;
  /** One step of one packet at the moment its core has reached. `address` and `length` mean what the stage says. */
  event(stage: number, packet: number, address: number, length: number): void;
  /** The same at another moment, for hardware that knows when a step happens. */
  eventAt(at: Ps, stage: number, packet: number, address: number, length: number): void;
  /** A named step outside packets (set-up, negotiation): `text` goes to the string table. */
  note(stage: number, text: string, a: number, b: number): void;
}

/** One end of a memory channel: a driver on one side, a device on the other. */
export interface MemoryEnd {
  readonly publisher: Publisher;
  /** Hardware: what follows in this run leaves at `atPs` (never before now, nor before what left earlier). */
  departAt(atPs: Ps): void;
  /** Kick, doorbell, call or MSI-X message `vector` (0..31) to the other end; lands after the channel's latency. */
  notify(vector: number): void;
  /** Takes the notifications that are visible, as a bit mask, and clears them. */
  takeNotified(): number;
  /** Posted register write (a doorbell is one; it publishes what was covered) at `offset` of the other end, `width` 1, 2, 4 or 8 bytes. */
  write(offset: number, width: number, value: number): void;
  /** Register read; completes one round trip later. */
  read(offset: number, width: number): Ticket;
  /** Called for register accesses that arrive; a read answers at once. */
  onRegister(target: RegisterTarget): void;
  /** Side band of a ring slot: packet number and time of birth travel with the publication, never in guest memory. */
  setTag(queue: number, slot: number, packet: number, bornPs: Ps): void;
  tagPacket(queue: number, slot: number): number;
  tagBornPs(queue: number, slot: number): Ps;
  /** Takes over the side band of another end of this core, which led to the same rings: as it was seen, and as it was sent. */
  carryTags(from: MemoryEnd): void;
}

/** A byte-addressed register file. */
export interface RegisterTarget {
  readRegister(offset: number, width: number): number;
  writeRegister(offset: number, width: number, value: number): void;
}

/** What travels with a frame besides its bytes. One mutable object per sender is filled again and again. */
export interface FrameMeta {
  packet: number;
  bornPs: Ps;
  /** virtio-net header fields of an offloaded frame: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset. */
  flags: number;
  gsoType: number;
  hdrLen: number;
  gsoSize: number;
  csumStart: number;
  csumOffset: number;
  /** Free for the two ends: port number, RSS hash, action. */
  aux: number;
  /** Bytes on the wire when they differ from the captured bytes (padding, FCS); 0: same. */
  wireLength: number;
}

/** One end of a link between two Ethernet ports or two stages of a pipeline; order is kept. */
export interface LinkEnd {
  /** Free places as this end knows them (the reader's credits arrive with the link's latency). */
  free(): number;
  /** Copies a frame out of the arena. It is there `atPs` (not before now, not before the last) + latency. False when full. */
  send(offset: number, length: number, meta: FrameMeta, atPs: Ps): boolean;
  /** Frames that were visible when the present run began. */
  ready(): number;
  /** Moment at which the next frame is visible, Infinity when none is known. */
  nextPs(): Ps;
  /** False: frames neither wake this core nor keep it from parking (a worker that has stopped polling its tap). Default true. */
  listens: boolean;
  /** Current frame: its place in the arena; valid until `release`. */
  readonly offset: number;
  readonly length: number;
  readonly meta: FrameMeta;
  /** Moment at which the current frame became visible. */
  readonly atPs: Ps;
  /** Takes the next frame that was visible when the present run began as the current one; false when there is none. */
  receive(): boolean;
  /** Gives the current frame's place back to the sender. */
  release(): void;
}

/** One end of a control channel: requests of a contract between components. */
export interface ControlEnd {
  /** Sends a request; `method` is a small number of the contract. */
  request(method: number, body: Uint8Array): Ticket;
  /** One-way message. */
  send(method: number, body: Uint8Array): void;
  /** Called when a request or message arrives. `reply` may be called at once or in a later run; never for one-way. */
  onRequest(
    handler: (method: number, body: Uint8Array, reply: (status: number, body: Uint8Array) => void) => void,
  ): void;
}

/** Everything that a component sees of its core. */
export interface CoreContext {
  readonly id: string;
  readonly arena: Arena;
  readonly meter: Meter;
  readonly recorder: Recorder;
  /** Moment that the core has reached. */
  now(): Ps;
  /** Number of an operation of `ops.ts`; ask once, at creation. */
  op(name: string): number;
  /** Number of a stage name; ask once, at creation. */
  stage(name: string): number;
  /** A constant of the cost profile, by name; throws when the profile lacks it. */
  constant(name: string): number;
  /**
   * Arena offset of this process's view of a memory window (a guest's memory, a host buffer area). A core of an instance
   * (`name@1`) sees the windows of its instance (`id@1`) under their plain names.
   */
  window(id: string): number;
  memory(endName: string): MemoryEnd;
  link(endName: string): LinkEnd;
  control(endName: string): ControlEnd;
  addTask(task: Task): void;
  /** Runs a procedure on this core. */
  spawn(name: string, procedure: Procedure): void;
  /** Wakes the core at `atPs` at the latest. Holds for one idle period: ask again in every run that answers IDLE. */
  wakeAt(atPs: Ps): void;
  /** A ticket that completes at `atPs`. */
  delay(atPs: Ps): Ticket;
  /** The ticket that a task answering HOLD waits for. */
  holdOn(ticket: Ticket): void;
  /** Deterministic generator of numbers in [0, 1), seeded by run seed, core and name. */
  random(name: string): () => number;
  /**
   * A named counter of this core; drops are `drop.<reason>`. Read at the end of the run. Counts from the start of the
   * traffic, those named `setup.*` from the start of the run.
   */
  counter(name: string): Counter;
  /** A result that the run collects at its end: plain JSON data (histograms, hashes). */
  onCollect(name: string, collect: () => unknown): void;
}

/** A count that ends up in the run's statistics. */
export interface Counter {
  value: number;
}

/** Makes one core's tasks from plain data. Holds no state of its own. */
export interface CoreModule {
  create(context: CoreContext, config: never): void;
}

/** Memory outside of windows that a core may take when its plan says nothing: scratch and small pools. */
export const CORE_ARENA_BYTES = 2 * 1024 * 1024;

/** A core of the plan. `poll` cores are busy while they live, `wait` cores sleep, `hardware` costs no CPU. */
export interface CorePlan {
  id: string;
  /** Which service owns it: its process, its part of the log. */
  service: string;
  /** Name of a core module registered with the runtime. */
  module: string;
  config: unknown;
  mode: 'poll' | 'wait' | 'hardware';
  /** Who pays: host data plane, guest vCPU, or no CPU at all. */
  account: 'host' | 'guest' | 'none';
  /** wait only: operation charged when a parked core wakes. */
  wakeOp?: string;
  /** Memory outside of windows that its module takes for itself; default CORE_ARENA_BYTES. */
  arenaBytes?: number;
}

/** A memory that one service owns and others see through channels. */
export interface WindowPlan {
  id: string;
  owner: string;
  bytes: number;
}

/** Two ends on two cores, named `core/end`. Latencies in picoseconds, at least 1 each way. */
export interface ChannelPlan {
  id: string;
  kind: 'memory' | 'link' | 'control';
  /** Memory channels: `a` is the driver, `b` the device. */
  a: { core: string; end: string };
  b: { core: string; end: string };
  latencyPs: { ab: Ps; ba: Ps };
  /** memory: the window whose words travel on it. */
  window?: string;
  /**
   * memory: the window in which the device (b) sees them, when it has a memory of its own: a replica that only what travels
   * on this channel fills, in one process as in several.
   */
  deviceWindow?: string;
  /** memory: sizes of its queues, for the side band. */
  queueSizes?: number[];
  /** link: places and bytes of the receiver's buffer. */
  capacity?: number;
  bufferBytes?: number;
}

/** A whole run as plain data: what the lab makes of services' answers and every process is given. */
export interface RunPlan {
  seed: number;
  windows: WindowPlan[];
  cores: CorePlan[];
  channels: ChannelPlan[];
  /** Packets whose number is a multiple of `stride` are sampled; 0: none. */
  sampling: { stride: number };
  /** Costs, busy time and counters count from this moment (start of traffic); before it is set-up. */
  accountFromPs: Ps;
  /** Cores keep a timeline of their runs, in spans of so much time; absent: they do not. */
  timelineSpanPs?: Ps;
  /** `memory` channels inside one process: true keeps a replica per service, fed by publications only. */
  copyMode: boolean;
  /** Every channel end notes what it sends (stages `tap.*` of the event log): walks only, it makes long logs. */
  taps?: boolean;
}
