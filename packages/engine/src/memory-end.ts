import type { Arena, Publisher } from '@vhostlab/memory';
import type { MemoryEnd, Ps, RegisterTarget, Ticket } from './api.ts';
import { ByteReader, ByteWriter } from './byte-writer.ts';
import type { ChannelTap } from './channel-tap.ts';
import { type Mailbox, NOTIFY, REGISTER_WRITE, WORD16, WORD32 } from './mailbox.ts';
import type { CoreClock } from './meter.ts';
import { RegisterPort } from './register-port.ts';

/** Packet numbers and birth times of ring slots, one array per queue. */
export class TagTable {
  readonly packet: Int32Array[];
  readonly bornPs: Float64Array[];

  constructor(queueSizes: readonly number[]) {
    this.packet = queueSizes.map((size) => new Int32Array(size).fill(-1));
    this.bornPs = queueSizes.map((size) => new Float64Array(size));
  }
}

/**
 * One end of a memory channel in virtual time. Words travel through the mailbox and are stored when their
 * moment has come; with `capture` (another process, or copy mode) the covered bytes and tags travel along.
 */
export class VirtualMemoryEnd implements MemoryEnd, Publisher {
  readonly publisher: Publisher = this;
  readonly out: Mailbox;
  readonly in: Mailbox;
  /** Moment at which the last thing sent from here is visible at the other end. */
  lastVisiblePs: Ps = 0;
  readonly #arena: Arena;
  readonly #base: number;
  readonly #clock: CoreClock;
  readonly #capture: boolean;
  readonly #tap: ChannelTap | undefined;
  readonly #tagsOut: TagTable;
  readonly #tagsIn: TagTable;
  readonly #covers = new ByteWriter();
  readonly #pendingTags = new ByteWriter();
  #coverCount = 0;
  #tagCount = 0;
  #departPs: Ps = 0;
  #notified = 0;
  readonly #registers: RegisterPort;

  constructor(options: {
    arena: Arena;
    base: number;
    clock: CoreClock;
    out: Mailbox;
    in: Mailbox;
    capture: boolean;
    tagsOut: TagTable;
    tagsIn: TagTable;
    tap?: ChannelTap;
  }) {
    this.#arena = options.arena;
    this.#base = options.base;
    this.#clock = options.clock;
    this.out = options.out;
    this.in = options.in;
    this.#capture = options.capture;
    this.#tap = options.tap;
    this.#tagsOut = options.tagsOut;
    this.#tagsIn = options.tagsIn;
    this.#registers = new RegisterPort(
      (kind, a, b) =>
        this.#send(kind, a, b, this.#capture && kind === REGISTER_WRITE ? this.#takeCovers() : undefined),
      options.tap,
    );
  }

  departAt(atPs: Ps): void {
    this.#departPs = atPs;
  }

  cover(offset: number, length: number): void {
    this.#tap?.bytes(this.#arena.u8, offset, offset - this.#base, length);
    if (!this.#capture) return;
    this.#covers.u32(offset - this.#base);
    this.#covers.u32(length);
    this.#covers.bytes(this.#arena.u8, offset, length);
    this.#coverCount++;
  }

  u16(offset: number, value: number): void {
    this.#tap?.word(16, offset - this.#base, value);
    this.#send(WORD16, offset - this.#base, value, this.#capture ? this.#takeCovers() : undefined);
  }

  u32(offset: number, value: number): void {
    this.#tap?.word(32, offset - this.#base, value);
    this.#send(WORD32, offset - this.#base, value, this.#capture ? this.#takeCovers() : undefined);
  }

  notify(vector: number): void {
    this.#tap?.notify(vector);
    this.#send(NOTIFY, vector, 0, this.#capture ? this.#takeCovers() : undefined);
  }

  takeNotified(): number {
    const mask = this.#notified;
    this.#notified = 0;
    return mask;
  }

  write(offset: number, width: number, value: number): void {
    this.#registers.write(offset, width, value);
  }

  read(offset: number, width: number): Ticket {
    return this.#registers.read(offset, width);
  }

  onRegister(target: RegisterTarget): void {
    this.#registers.target = target;
  }

  setTag(queue: number, slot: number, packet: number, bornPs: Ps): void {
    this.#tagsOut.packet[queue][slot] = packet;
    this.#tagsOut.bornPs[queue][slot] = bornPs;
    if (!this.#capture) return;
    this.#pendingTags.u32(queue);
    this.#pendingTags.u32(slot);
    this.#pendingTags.i32(packet);
    this.#pendingTags.f64(bornPs);
    this.#tagCount++;
  }

  tagPacket(queue: number, slot: number): number {
    return this.#tagsIn.packet[queue][slot];
  }

  tagBornPs(queue: number, slot: number): Ps {
    return this.#tagsIn.bornPs[queue][slot];
  }

  carryTags(from: MemoryEnd): void {
    if (!(from instanceof VirtualMemoryEnd)) throw new Error('tags are carried between ends in virtual time');
    const { packet, bornPs } = from.#tagsOut;
    for (let queue = 0; queue < packet.length; queue++) {
      this.#tagsIn.packet[queue].set(from.#tagsIn.packet[queue]);
      this.#tagsIn.bornPs[queue].set(from.#tagsIn.bornPs[queue]);
      for (let slot = 0; slot < packet[queue].length; slot++) {
        if (packet[queue][slot] >= 0) this.setTag(queue, slot, packet[queue][slot], bornPs[queue][slot]);
      }
    }
  }

  /** Applies everything that is visible at `nowPs`; true when something other than words arrived. */
  sync(nowPs: Ps): boolean {
    const box = this.in;
    let woken = false;
    while (box.head !== box.tail) {
      const i = box.head & box.mask;
      if (box.atPs[i] > nowPs) break;
      box.head++;
      const kind = box.kind[i];
      const a = box.a[i];
      const payload = box.payload[i];
      if (payload !== undefined) {
        box.payload[i] = undefined;
        this.#applyCovers(payload);
      }
      if (kind === WORD16) {
        this.#arena.u16[(this.#base + a) >>> 1] = box.b[i];
        continue;
      }
      if (kind === WORD32) {
        this.#arena.u32[(this.#base + a) >>> 2] = box.b[i];
        continue;
      }
      woken = true;
      if (kind === NOTIFY) this.#notified |= 1 << a;
      else this.#registers.arrived(kind, a, box.b[i]);
    }
    return woken;
  }

  #send(kind: number, a: number, b: number, payload?: Uint8Array): void {
    const now = this.#clock.nowPs;
    const departs = this.#departPs > now ? this.#departPs : now;
    this.out.push(departs, kind, a, b, payload);
    this.lastVisiblePs = this.out.lastPs;
  }

  #takeCovers(): Uint8Array | undefined {
    if (this.#coverCount === 0 && this.#tagCount === 0) return undefined;
    const writer = new ByteWriter();
    writer.u32(this.#coverCount);
    const covers = this.#covers.take();
    writer.bytes(covers, 0, covers.length);
    const tags = this.#pendingTags.take();
    writer.bytes(tags, 0, tags.length);
    this.#covers.reset();
    this.#pendingTags.reset();
    this.#coverCount = 0;
    this.#tagCount = 0;
    return writer.take();
  }

  #applyCovers(payload: Uint8Array): void {
    const reader = new ByteReader(payload);
    for (let n = reader.u32(); n > 0; n--) {
      const offset = reader.u32();
      this.#arena.u8.set(reader.take(reader.u32()), this.#base + offset);
    }
    while (reader.remaining > 0) {
      const queue = reader.u32();
      const slot = reader.u32();
      this.#tagsIn.packet[queue][slot] = reader.i32();
      this.#tagsIn.bornPs[queue][slot] = reader.f64();
    }
  }
}
