import type { ControlEnd, CoreContext, Counter, Ticket } from '@vhostlab/engine';
import type { PacketPool } from '@vhostlab/memory';
import { LookupCharges } from '../charges.ts';
import { decodeUpcallReply, encodeUpcall, METHOD_UPCALL, STATUS_OK } from '../codec.ts';
import { Datapath, type DatapathOptions } from '../datapath.ts';
import { ActionExecutor } from '../execute.ts';
import { KeyExtractor } from '../extract.ts';
import { flowHash } from '../hash.ts';
import { KEY_WORDS } from '../key.ts';

/** Ports that a datapath sends to; the frame belongs to them afterwards. */
export interface PortOutput {
  /** Takes frame `index` of the pool. Unknown ports: answer false and the frame is dropped. */
  output(port: number, index: number): boolean;
}

const MAX_BURST = 64;
const ETH_HEADER_BYTES = 14;

interface Waiting {
  /** Its upcall; undefined for a frame that has a flow and stays behind others. */
  ticket: Ticket | undefined;
  index: number;
  key: Uint32Array;
  hash: number;
}

/**
 * A datapath on a core of its host: takes a burst of frames through parse, lookup and actions. A miss goes to
 * the switch service. `userspace`: the core holds for the answer, as a PMD that translates its own upcall.
 * `kernel`: frames queue for their answers, and those that come after them stay behind, so that the order of a port
 * is kept; only when the queue is full do frames with a flow pass.
 */
export class DatapathHost {
  readonly datapath: Datapath;
  readonly #context: CoreContext;
  readonly #switch: ControlEnd;
  readonly #pool: PacketPool;
  readonly #output: PortOutput;
  readonly #executor: ActionExecutor;
  readonly #extractor = new KeyExtractor();
  readonly #charges: LookupCharges;
  readonly #keys = new Uint32Array(MAX_BURST * KEY_WORDS);
  readonly #hashes = new Int32Array(MAX_BURST);
  readonly #burst = new Uint32Array(MAX_BURST);
  readonly #flows = new Int32Array(MAX_BURST);
  readonly #generations = new Uint32Array(MAX_BURST);
  readonly #holds: boolean;
  readonly #queueLimit: number;
  readonly #waiting: Waiting[] = [];
  readonly #opParse: number;
  readonly #opActions: number;
  readonly #stageParse: number;
  readonly #stageLookup: number;
  readonly #stageUpcall: number;
  readonly #stageActions: number;
  readonly #dropNoFlow: Counter;
  readonly #dropNoPort: Counter;
  readonly #dropQueue: Counter;
  readonly #dropAction: Counter;
  readonly #dropShort: Counter;
  #count = 0;
  #at = 0;
  #held: Waiting | undefined;

  constructor(
    context: CoreContext,
    switchEnd: string,
    pool: PacketPool,
    output: PortOutput,
    options: DatapathOptions,
  ) {
    this.#context = context;
    this.#switch = context.control(switchEnd);
    this.#pool = pool;
    this.#output = output;
    this.datapath = new Datapath(options);
    this.#executor = new ActionExecutor(context.arena, {
      copyFrame: (offset, length) => this.#copyFrame(offset, length),
    });
    this.#charges = new LookupCharges(context.meter, (name) => context.op(name));
    this.#holds = options.kind === 'userspace';
    this.#queueLimit = context.constant('upcall.queueFrames');
    this.#opParse = context.op('switch.parse');
    this.#opActions = context.op('switch.actions');
    this.#stageParse = context.stage('switch.parse');
    this.#stageLookup = context.stage('switch.lookup');
    this.#stageUpcall = context.stage('switch.upcall');
    this.#stageActions = context.stage('switch.actions');
    this.#dropNoFlow = context.counter('drop.no-flow');
    this.#dropNoPort = context.counter('drop.no-port');
    this.#dropQueue = context.counter('drop.upcall-queue-full');
    this.#dropAction = context.counter('drop.flow-action');
    this.#dropShort = context.counter('drop.too-short');
    this.#switch.onRequest((method, body, reply) => this.datapath.serve(method, body, context.now(), reply));
  }

  /** Frames that wait for an answer of the switch service, or behind one that does. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Starts a burst of `count` (at most 64) frames that came in at `inPort`: parse and lookup of all of them.
   * Then call `run` until it answers undefined.
   */
  begin(indices: Uint32Array, count: number, inPort: number): void {
    const { arena, meter } = this.#context;
    const pool = this.#pool;
    let kept = 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const index = indices[i];
      const length = pool.length[index];
      if (length < ETH_HEADER_BYTES) {
        this.#dropShort.value += pool.wireFrames(index);
        pool.free(index);
        continue;
      }
      this.#extractor.extract(arena.u8, pool.offset[index], length, inPort, this.#keys, kept * KEY_WORDS);
      this.#hashes[kept] = flowHash(this.#keys, kept * KEY_WORDS);
      this.#burst[kept++] = index;
      bytes += length;
    }
    meter.charge(this.#opParse, count, bytes);
    this.#count = kept;
    this.#at = 0;
    this.#events(this.#stageParse);
    const now = this.#context.now();
    for (let i = 0; i < kept; i++) {
      const flow = this.datapath.lookup(this.#keys, i * KEY_WORDS, this.#hashes[i], now);
      this.#flows[i] = flow;
      if (flow >= 0) this.#generations[i] = this.datapath.flows.generation[flow];
    }
    this.#charges.charge(this.datapath.tally);
    this.#events(this.#stageLookup);
  }

  /** Goes on with the burst. Answers the ticket to hold for, undefined when the burst is through. */
  run(): Ticket | undefined {
    if (this.#held !== undefined) {
      const held = this.#held;
      this.#held = undefined;
      this.#answer(held);
      this.#at++;
    }
    const now = this.#context.now();
    for (; this.#at < this.#count; this.#at++) {
      const i = this.#at;
      const index = this.#burst[i];
      let flow = this.#flows[i];
      // a flow may be gone since the core held; the answer for an earlier frame may have brought another one
      if (flow >= 0 && this.datapath.flows.generation[flow] !== this.#generations[i]) flow = -1;
      if (flow < 0) flow = this.datapath.lookup(this.#keys, i * KEY_WORDS, this.#hashes[i], now);
      if (flow >= 0 && this.#staysBehind(i, index)) continue;
      if (flow >= 0) {
        this.datapath.account(flow, 1, this.#pool.length[index], now);
        this.#execute(this.datapath.program(flow), index);
        continue;
      }
      const waiting = this.#upcall(i, index);
      if (waiting !== undefined) {
        this.#charges.charge(this.datapath.tally);
        this.#held = waiting;
        return waiting.ticket as Ticket;
      }
    }
    this.#charges.charge(this.datapath.tally);
    if (this.#count > 0) this.#context.meter.charge(this.#opActions, this.#count, 0);
    this.#count = 0;
    return undefined;
  }

  /**
   * Executes a burst of the frames whose answers are there; how many. For kinds that do not hold: call it in every
   * run until it answers 0.
   */
  answers(): number {
    let done = 0;
    while (this.#waiting.length > 0 && done < MAX_BURST) {
      const first = this.#waiting[0];
      if (first.ticket === undefined) {
        const flow = this.datapath.lookup(first.key, 0, first.hash, this.#context.now());
        if (flow < 0) {
          // its flow went away while it was waiting
          first.ticket = this.#request(first);
          break;
        }
        this.#waiting.shift();
        this.datapath.account(flow, 1, this.#pool.length[first.index], this.#context.now());
        this.#execute(this.datapath.program(flow), first.index);
      } else if (first.ticket.done) {
        this.#waiting.shift();
        this.#answer(first);
      } else {
        break;
      }
      done++;
    }
    this.#charges.charge(this.datapath.tally);
    if (done > 0) this.#context.meter.charge(this.#opActions, done, 0);
    return done;
  }

  /** Queues frame `i` of the burst, which has a flow, behind frames that wait; false when it may pass. */
  #staysBehind(i: number, index: number): boolean {
    const { length } = this.#waiting;
    if (length === 0 || length >= this.#queueLimit) return false;
    this.#waiting.push(this.#waitingFrame(i, index));
    return true;
  }

  #waitingFrame(i: number, index: number): Waiting {
    const key = this.#keys.slice(i * KEY_WORDS, (i + 1) * KEY_WORDS);
    return { ticket: undefined, index, key, hash: this.#hashes[i] };
  }

  #request({ key, hash, index }: Waiting): Ticket {
    const body = encodeUpcall({ key, hash, frameBytes: this.#pool.length[index], frame: new Uint8Array(0) });
    return this.#switch.request(METHOD_UPCALL, body);
  }

  /** Asks the switch service; the waiting frame when this core holds for it. */
  #upcall(i: number, index: number): Waiting | undefined {
    if (!this.#holds && this.#waiting.length >= this.#queueLimit) {
      this.#dropQueue.value += this.#pool.wireFrames(index);
      this.#pool.free(index);
      return undefined;
    }
    const waiting = this.#waitingFrame(i, index);
    waiting.ticket = this.#request(waiting);
    const pool = this.#pool;
    const { recorder } = this.#context;
    if (recorder.sampled(pool.packet[index])) {
      recorder.event(
        this.#stageUpcall,
        pool.packet[index],
        pool.offset[index] - pool.base,
        pool.length[index],
      );
    }
    if (this.#holds) return waiting;
    this.#waiting.push(waiting);
    return undefined;
  }

  #answer({ ticket, index, key, hash }: Waiting): void {
    const reply = ticket?.value === STATUS_OK ? decodeUpcallReply(ticket.bytes) : undefined;
    if (reply === undefined) {
      this.#dropNoFlow.value += this.#pool.wireFrames(index);
      this.#pool.free(index);
      return;
    }
    if (reply.put !== undefined) this.datapath.put(reply.put, this.#context.now(), key, hash);
    this.#execute(reply.program, index);
  }

  #execute(program: Uint32Array, index: number): void {
    const pool = this.#pool;
    const { recorder } = this.#context;
    const executor = this.#executor;
    const packet = pool.packet[index];
    const headroom = pool.offset[index] - pool.bufferOffset(index);
    const partial = (pool.flags[index] & 1) !== 0;
    const outputs = executor.execute(program, pool.offset[index], pool.length[index], headroom, partial);
    if (recorder.sampled(packet)) {
      recorder.event(this.#stageActions, packet, pool.offset[index] - pool.base, outputs);
    }
    if (outputs === 0) {
      this.#dropAction.value += pool.wireFrames(index);
      pool.free(index);
      return;
    }
    let ownSent = false;
    for (let i = 0; i < outputs; i++) {
      let out = index;
      if (executor.outIsCopy[i] === 1) {
        out = Math.floor((executor.outOffset[i] - pool.base) / pool.strideBytes);
      } else {
        ownSent = true;
      }
      pool.offset[out] = executor.outOffset[i];
      pool.length[out] = executor.outLength[i];
      if (!this.#output.output(executor.outPort[i], out)) {
        this.#dropNoPort.value += pool.wireFrames(out);
        pool.free(out);
      }
    }
    if (!ownSent) pool.free(index);
  }

  #events(stage: number): void {
    const { recorder } = this.#context;
    const pool = this.#pool;
    for (let i = 0; i < this.#count; i++) {
      const index = this.#burst[i];
      const packet = pool.packet[index];
      if (!recorder.sampled(packet)) continue;
      // places in the pool, because those in the arena differ between processes
      recorder.event(stage, packet, pool.offset[index] - pool.base, pool.length[index]);
    }
  }

  #copyFrame(offset: number, length: number): number {
    const pool = this.#pool;
    const copy = pool.alloc();
    if (copy < 0) return -1;
    pool.copyMeta(copy, Math.floor((offset - pool.base) / pool.strideBytes));
    this.#context.arena.copy(pool.offset[copy], offset, length);
    return pool.offset[copy];
  }
}
