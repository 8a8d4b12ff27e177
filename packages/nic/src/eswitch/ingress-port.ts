import { type Datapath, KEY_WORDS } from '@vhostlab/datapath';
import type { FrameMeta, Ps, Ticket } from '@vhostlab/engine';
import type { EswitchConstants } from '../constants.ts';
import type { Nic, TimerOwner } from '../nic.ts';
import type { FramePort, FrameSupplier } from '../queue/frame-port.ts';
import type { WirePort } from '../wire-port.ts';
import { HoldQueue } from './hold-queue.ts';
import type { UpcallDesk } from './upcall-desk.ts';

/** What an ingress port needs of the switch that it belongs to. */
export interface SwitchCore {
  readonly datapath: Datapath;
  readonly desk: UpcallDesk;
  readonly wire: WirePort;
  readonly constants: EswitchConstants;
  /** Key and hash of the frame that was looked up last. */
  readonly key: Uint32Array;
  readonly hash: number;
  hasRoom(nowPs: Ps): boolean;
  hasCapacity(nowPs: Ps): boolean;
  lookup(offset: number, length: number, port: number, nowPs: Ps): number;
  forward(
    flow: number,
    offset: number,
    length: number,
    meta: FrameMeta,
    atPs: Ps,
    owned: boolean,
    extraPs: Ps,
  ): void;
  execute(
    program: Uint32Array,
    offset: number,
    length: number,
    meta: FrameMeta,
    atPs: Ps,
    owned: boolean,
    extraPs: Ps,
  ): void;
}

/**
 * Where frames of one port enter the embedded switch. A frame without a flow waits for the switch service, and frames
 * behind it wait with it, so that order is kept; a frame whose flow is known but not installed yet takes the slow path.
 */
export class IngressPort implements FramePort, TimerOwner, FrameSupplier {
  readonly #nic: Nic;
  readonly #eswitch: SwitchCore;
  readonly #number: number;
  readonly #lossy: boolean;
  readonly #timer: number;
  readonly #extraPs: Ps;
  readonly #hold: HoldQueue;
  /** Tickets of frames that went on without their answer: it is still taken, for its flow. */
  #orphans: Ticket[] = [];
  #suppliers: FrameSupplier[] = [];
  #slowFreePs: Ps = 0;
  /** Frames from the oldest on that were looked at for asking. */
  #considered = 0;

  constructor(nic: Nic, eswitch: SwitchCore, number: number, lossy: boolean) {
    this.#nic = nic;
    this.#eswitch = eswitch;
    this.#number = number;
    this.#lossy = lossy;
    this.#timer = nic.register(this);
    this.#extraPs = lossy ? nic.constants.rxPipelinePs : 0;
    this.#hold = new HoldQueue(nic, eswitch.constants.holdFrames, eswitch.constants.holdBytes);
  }

  /** Frames and answers that are waited for. */
  get waiting(): number {
    return this.#hold.count + this.#orphans.length;
  }

  /** True when half of the room for frames without a flow is left. */
  get isRoomy(): boolean {
    return this.#hold.count * 2 < this.#hold.capacity;
  }

  input(offset: number, length: number, meta: FrameMeta, atPs: Ps, owned: boolean): boolean {
    const eswitch = this.#eswitch;
    const now = this.#nic.now();
    if (this.#lossy ? !eswitch.hasCapacity(now) : !eswitch.hasRoom(now)) {
      if (!this.#lossy) return false;
      this.#nic.drop('eswitch-overload');
      return true;
    }
    const flow = eswitch.lookup(offset, length, this.#number, now);
    if (flow >= 0 && this.#hold.count === 0) {
      eswitch.forward(flow, offset, length, meta, atPs, owned, this.#extraPs);
      return true;
    }
    if (this.#keep(offset, length, meta)) return true;
    if (!this.#lossy) return false;
    // a full buffer costs order before it costs frames
    if (flow >= 0) eswitch.forward(flow, offset, length, meta, atPs, owned, this.#extraPs);
    else this.#nic.drop('eswitch-miss-overflow');
    return true;
  }

  wait(supplier: FrameSupplier): void {
    if (!this.#eswitch.hasRoom(this.#nic.now())) this.#eswitch.wire.wait(supplier);
    else if (!this.#suppliers.includes(supplier)) this.#suppliers.push(supplier);
  }

  unblock(nowPs: Ps): void {
    this.drain(nowPs);
  }

  due(_kind: number, nowPs: Ps): void {
    this.drain(nowPs);
  }

  /** Lets frames go on whose flow or answer has come. */
  drain(nowPs: Ps): void {
    this.#takeOrphans(nowPs);
    const hold = this.#hold;
    const before = hold.count;
    while (hold.count > 0 && this.#releaseFirst(nowPs)) {
      hold.shift();
      if (this.#considered > 0) this.#considered--;
    }
    this.#askMore();
    if (hold.count === before || this.#suppliers.length === 0) return;
    const suppliers = this.#suppliers;
    this.#suppliers = [];
    for (const supplier of suppliers) supplier.unblock(nowPs);
  }

  /** Holds a frame whose key was looked up last; false when there is no room. */
  #keep(offset: number, length: number, meta: FrameMeta): boolean {
    const { key, hash } = this.#eswitch;
    const hold = this.#hold;
    const place = hold.push(offset, length, meta);
    if (place < 0) return false;
    hold.keys.set(key, place * KEY_WORDS);
    hold.hash[place] = hash;
    const { recorder, stages } = this.#nic;
    if (recorder.sampled(meta.packet)) recorder.event(stages.representor, meta.packet, this.#number, length);
    this.#askMore();
    return true;
  }

  /** True when the oldest frame is done with. */
  #releaseFirst(nowPs: Ps): boolean {
    const eswitch = this.#eswitch;
    const hold = this.#hold;
    if (!this.#lossy && !eswitch.hasRoom(nowPs)) {
      eswitch.wire.wait(this);
      return false;
    }
    const place = hold.at(0);
    const ticket = hold.ticket[place];
    const key = place * KEY_WORDS;
    const flow = eswitch.datapath.lookup(hold.keys, key, hold.hash[place], nowPs);
    if (flow >= 0) {
      if (ticket !== undefined) this.#orphans.push(ticket);
      eswitch.forward(
        flow,
        hold.offset[place],
        hold.length[place],
        hold.meta[place],
        nowPs,
        true,
        this.#extraPs,
      );
      return true;
    }
    if (ticket?.done) {
      const program = eswitch.desk.take(ticket, nowPs);
      if (program === undefined) this.#nic.drop('upcall-failed');
      else this.#execute(program, place, nowPs);
      return true;
    }
    if (ticket !== undefined) return false;
    if (hold.readyPs[place] <= nowPs) {
      const known = eswitch.datapath.lookup(hold.keys, key, hold.hash[place], Number.POSITIVE_INFINITY);
      if (known >= 0) {
        this.#execute(eswitch.datapath.program(known), place, nowPs);
        return true;
      }
      hold.readyPs[place] = Number.POSITIVE_INFINITY;
    }
    this.#startFirst();
    return false;
  }

  #execute(program: Uint32Array, place: number, nowPs: Ps): void {
    const hold = this.#hold;
    const { offset, length, meta } = hold;
    this.#eswitch.execute(program, offset[place], length[place], meta[place], nowPs, true, this.#extraPs);
  }

  /** The oldest frame takes the slow path when its flow is known there, and asks otherwise. */
  #startFirst(): void {
    const { datapath, constants } = this.#eswitch;
    const hold = this.#hold;
    const place = hold.at(0);
    if (hold.ticket[place] !== undefined || hold.readyPs[place] < Number.POSITIVE_INFINITY) return;
    const known = datapath.lookup(hold.keys, place * KEY_WORDS, hold.hash[place], Number.POSITIVE_INFINITY);
    if (known < 0) {
      this.#ask(0);
      return;
    }
    const now = this.#nic.now();
    const { meter, ops } = this.#nic;
    meter.book(ops.representor, 1, hold.length[place], constants.representorPs);
    this.#slowFreePs = Math.max(now, this.#slowFreePs) + constants.representorPs;
    hold.readyPs[place] = this.#slowFreePs;
    this.#nic.later(this.#slowFreePs, this.#timer, 0);
  }

  #askMore(): void {
    if (this.#hold.count > 0) this.#startFirst();
    while (this.#considered < this.#hold.count && this.#ask(this.#considered)) this.#considered++;
  }

  /** Sends frame `n` up unless it or one with the same key is there already; false when the desk is full. */
  #ask(n: number): boolean {
    const { datapath, desk } = this.#eswitch;
    const hold = this.#hold;
    const place = hold.at(n);
    if (hold.ticket[place] !== undefined) return true;
    const key = place * KEY_WORDS;
    for (let i = 0; i < n; i++) {
      const other = hold.at(i);
      if (hold.hash[other] !== hold.hash[place]) continue;
      if (isSameKey(hold.keys, other * KEY_WORDS, key)) return true;
    }
    if (datapath.lookup(hold.keys, key, hold.hash[place], Number.POSITIVE_INFINITY) >= 0) return true;
    const ticket = desk.ask(hold.keys, key, hold.hash[place], hold.offset[place], hold.length[place]);
    hold.ticket[place] = ticket;
    return ticket !== undefined;
  }

  #takeOrphans(nowPs: Ps): void {
    if (this.#orphans.length === 0) return;
    const open: Ticket[] = [];
    for (const ticket of this.#orphans) {
      if (ticket.done) this.#eswitch.desk.take(ticket, nowPs);
      else open.push(ticket);
    }
    this.#orphans = open;
  }
}

function isSameKey(keys: Uint32Array, a: number, b: number): boolean {
  for (let w = 0; w < KEY_WORDS; w++) if (keys[a + w] !== keys[b + w]) return false;
  return true;
}
