import {
  ActionExecutor,
  Datapath,
  type FrameCopier,
  flowHash,
  KEY_WORDS,
  KeyExtractor,
  OP_OUTPUT,
} from '@vhostlab/datapath';
import type { ControlEnd, FrameMeta, Ps } from '@vhostlab/engine';
import { HDR_F_NEEDS_CSUM, type HeaderRules } from '@vhostlab/virtio-net';
import type { EswitchConstants } from '../constants.ts';
import { type Nic, wireFrames } from '../nic.ts';
import { OffloadFinisher } from '../offload-finisher.ts';
import { HEADROOM_BYTES, STAGING_BYTES } from '../queue/dequeue-queue.ts';
import type { WirePort } from '../wire-port.ts';
import { IngressPort, type SwitchCore } from './ingress-port.ts';
import { UpcallDesk } from './upcall-desk.ts';

/** Port of the bridge that is the NIC's physical port. */
export const WIRE_PORT = 1;

/** A function of the NIC as the embedded switch sees it. */
export interface FunctionReceiver {
  /** What its receive side takes without the NIC's help. */
  readonly rules: HeaderRules;
  /** Takes a frame: its DMA starts at `atPs` (not after now) and is seen `latencyPs` after it has left. */
  receive(offset: number, length: number, meta: FrameMeta, atPs: Ps, latencyPs: Ps): void;
}

const COPIES = 8;
/** Capacity that may be promised ahead before frames are refused. */
const BACKLOG_PS = 20_000_000;

/**
 * The embedded switch: a flow table of its own between the physical port and the functions. Frames that no flow takes
 * go up to the switch service and come back with what to do; frames of one port never overtake each other.
 */
export class Eswitch implements FrameCopier, SwitchCore {
  readonly datapath: Datapath;
  readonly wire: WirePort;
  readonly desk: UpcallDesk;
  readonly constants: EswitchConstants;
  /** Key of the frame that was looked up last, and its hash. */
  readonly key = new Uint32Array(KEY_WORDS);
  hash = 0;
  readonly #nic: Nic;
  readonly #extractor = new KeyExtractor();
  readonly #executor: ActionExecutor;
  readonly #finisher: OffloadFinisher;
  readonly #receivers: (FunctionReceiver | undefined)[] = [];
  readonly #ports: IngressPort[] = [];
  readonly #work: number;
  readonly #idlePs: Ps;
  #copy = 0;
  #freePs: Ps = 0;
  #expirePs: Ps = 0;

  constructor(nic: Nic, constants: EswitchConstants, wire: WirePort, upcall: ControlEnd, idlePs: Ps) {
    this.#nic = nic;
    this.constants = constants;
    this.wire = wire;
    this.#idlePs = idlePs;
    this.datapath = new Datapath({
      kind: 'offloaded',
      flowCapacity: constants.tableEntries,
      offload: { insertsPerSecond: constants.insertsPerSecond },
    });
    this.#executor = new ActionExecutor(nic.arena, this);
    this.#finisher = new OffloadFinisher(nic, 16_384);
    this.#work = nic.alloc((HEADROOM_BYTES + STAGING_BYTES) * COPIES);
    this.desk = new UpcallDesk(nic, this.datapath, upcall, constants.outstandingUpcalls);
    upcall.onRequest((method, body, reply) => {
      this.datapath.serve(method, body, nic.now(), reply);
    });
  }

  /** The ingress of port `number`; `lossy`: frames that find no room are dropped, not refused. */
  ingress(number: number, lossy: boolean): IngressPort {
    const port = new IngressPort(this.#nic, this, number, lossy);
    this.#ports.push(port);
    return port;
  }

  /** Makes a function the output behind port `number`. */
  attach(number: number, receiver: FunctionReceiver): void {
    this.#receivers[number] = receiver;
  }

  /** Goes on with frames that wait; called in every run of the core. */
  advance(nowPs: Ps): void {
    if (nowPs >= this.#expirePs) {
      this.datapath.expire(nowPs, this.#idlePs);
      this.#expirePs = nowPs + this.#idlePs / 10;
    }
    for (let i = 0; i < this.#ports.length; i++) {
      if (this.#ports[i].waiting > 0) this.#ports[i].drain(nowPs);
    }
  }

  /** True when the switch and the wire can take a frame. */
  hasRoom(nowPs: Ps): boolean {
    return this.hasCapacity(nowPs) && this.wire.hasRoom(nowPs);
  }

  /** True when only the switch itself is asked: a full wire loses its frames, as for frames that come from it. */
  hasCapacity(nowPs: Ps): boolean {
    return this.#freePs - nowPs <= BACKLOG_PS;
  }

  /** Extracts the key of a frame into `key` and `hash` and looks it up: the flow, or -1. */
  lookup(offset: number, length: number, port: number, nowPs: Ps): number {
    this.#extractor.extract(this.#nic.arena.u8, offset, length, port, this.key, 0);
    this.hash = flowHash(this.key, 0);
    return this.datapath.lookup(this.key, 0, this.hash, nowPs);
  }

  /** Carries out a flow's program for a frame that was there at `atPs`. */
  forward(
    flow: number,
    offset: number,
    length: number,
    meta: FrameMeta,
    atPs: Ps,
    owned: boolean,
    extraPs: Ps,
  ): void {
    this.datapath.account(flow, 1, length, atPs);
    this.execute(this.datapath.program(flow), offset, length, meta, atPs, owned, extraPs);
  }

  /** Carries out a program. `extraPs`: pipeline latency of the port that the frame came in on. */
  execute(
    program: Uint32Array,
    offset: number,
    length: number,
    meta: FrameMeta,
    atPs: Ps,
    owned: boolean,
    extraPs: Ps,
  ): void {
    const { latencyPs, framePs, bytesPerPs } = this.constants;
    const start = atPs > this.#freePs ? atPs : this.#freePs;
    const byBytes = length / bytesPerPs;
    this.#freePs = start + Math.round(byBytes > framePs ? byBytes : framePs);
    const { meter, ops, recorder, stages } = this.#nic;
    meter.book(ops.eswitch, 1, length, start + latencyPs - atPs);
    if (recorder.sampled(meta.packet)) {
      recorder.eventAt(
        start + latencyPs,
        stages.eswitch,
        meta.packet,
        program.length > 1 ? program[1] : 0,
        length,
      );
    }
    if (program.length === 2 && program[0] === OP_OUTPUT) {
      this.#emit(program[1], offset, length, meta, start, extraPs);
      return;
    }
    const from = owned ? offset : this.copyFrame(offset, length);
    const partial = (meta.flags & HDR_F_NEEDS_CSUM) !== 0;
    const outputs = this.#executor.execute(program, from, length, HEADROOM_BYTES, partial);
    if (outputs === 0) {
      this.#nic.drop('flow-drop', wireFrames(length, meta));
      return;
    }
    const { outPort, outOffset, outLength } = this.#executor;
    for (let i = 0; i < outputs; i++) {
      this.#emit(outPort[i], outOffset[i], outLength[i], meta, start, extraPs);
    }
  }

  copyFrame(offset: number, length: number): number {
    const to = this.#work + this.#copy * (HEADROOM_BYTES + STAGING_BYTES) + HEADROOM_BYTES;
    this.#copy = this.#copy + 1 === COPIES ? 0 : this.#copy + 1;
    this.#nic.arena.u8.copyWithin(to, offset, offset + length);
    return to;
  }

  #emit(port: number, offset: number, length: number, meta: FrameMeta, atPs: Ps, extraPs: Ps): void {
    const { latencyPs } = this.constants;
    if (port === WIRE_PORT) {
      this.wire.transmit(offset, length, meta, atPs + latencyPs);
      return;
    }
    const receiver = this.#receivers[port];
    if (receiver === undefined) {
      this.#nic.drop('no-port', wireFrames(length, meta));
      return;
    }
    const finisher = this.#finisher;
    if (finisher.begin(offset, length, meta, receiver.rules) === 0) {
      this.#nic.drop(finisher.fault, wireFrames(length, meta));
      return;
    }
    while (finisher.next()) {
      receiver.receive(finisher.offset, finisher.length, finisher.meta, atPs, latencyPs + extraPs);
    }
  }
}
