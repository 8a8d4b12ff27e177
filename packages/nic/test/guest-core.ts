import {
  BARRIER,
  type CoreContext,
  type CoreModule,
  DONE,
  IDLE,
  type MemoryEnd,
  type Procedure,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import {
  type FeatureName,
  FeatureSet,
  initVirtioPci,
  type RegisterProcedure,
  readHeader,
  readNumBuffers,
} from '@vhostlab/virtio-net';
import {
  type DriverQueue,
  PackedDriver,
  ringLayout,
  SegmentList,
  SplitDriver,
  UsedBatch,
} from '@vhostlab/virtqueue';
import { FrameHasher } from '@vhostlab/workload';

/** Guest memory of a test driver: rings first, then buffers. */
export const GUEST_BYTES = 8 * 1024 * 1024;
const RINGS = 0x10_000;
const TX_BUFFERS = 0x100_000;
const RX_BUFFERS = 0x400_000;
const STRIDE = 2048;
export const HEADER = 12;

/** What the test driver does. */
export interface GuestConfig {
  guest: number;
  /** Entries per queue. */
  size: number;
  features: FeatureName[];
  /** Frames to send, as bytes in base64 with their virtio-net header; the same bytes may be sent many times. */
  frames: string[];
  count: number;
  /** Sends what it receives. */
  forwards: boolean;
  interrupts: boolean;
  /** vfio: virtio-pci registers; vdpa: rings are set up by the VMM, at this moment everything is ready. */
  readyAtPs?: number;
  rxBufferBytes: number;
  /** Sends frames as two descriptors: header, frame. */
  chained?: boolean;
  /** After this many frames the available index jumps (split), which breaks the transmit queue. */
  hostileAfter?: number;
}

export function ringPlace(index: number, size: number, packed: boolean, eventIdx: boolean) {
  const layout = ringLayout(packed ? 'packed' : 'split', size, eventIdx);
  const at = RINGS + index * 0x10_000;
  return { desc: at, driver: at + layout.driver.offset, device: at + layout.device.offset };
}

/** A guest with one queue pair: brings the function up and runs traffic, polling or by interrupts. */
export const guestModule: CoreModule = {
  create(context: CoreContext, config: GuestConfig): void {
    const guest = new TestGuest(context, config);
    context.spawn('boot', guest.boot());
  },
};

class TestGuest implements Task {
  readonly name = 'guest';
  readonly #context: CoreContext;
  readonly #config: GuestConfig;
  readonly #end: MemoryEnd;
  readonly #base: number;
  readonly #rxHasher = new FrameHasher();
  readonly #used = new UsedBatch(64);
  readonly #segments = new SegmentList(4);
  readonly #delivered;
  readonly #offered;
  readonly #interrupts;
  readonly #received: { length: number; flags: number; gsoType: number; buffers: number }[] = [];
  readonly #frame = new Uint8Array(66_000);
  #rx: DriverQueue | undefined;
  #tx: DriverQueue | undefined;
  #sent = 0;
  #free: number[] = [];
  #state = 0;
  #kickRx = false;
  #kickTx = false;
  #features = FeatureSet.EMPTY;

  constructor(context: CoreContext, config: GuestConfig) {
    this.#context = context;
    this.#config = config;
    this.#end = context.memory('vq');
    this.#base = context.window(`guest${config.guest}`);
    this.#delivered = context.counter('frames.delivered');
    this.#offered = context.counter('frames.offered');
    this.#interrupts = context.counter('interrupts');
    context.onCollect('guest', () => ({
      sha256: this.#rxHasher.digest(),
      frames: this.#rxHasher.frames,
      features: this.#features.names(),
      received: this.#received,
      txViolation: this.#tx?.violation,
    }));
  }

  *boot(): Procedure {
    const { config, context } = { config: this.#config, context: this.#context };
    yield context.delay(config.readyAtPs ?? 500_000_000);
    if (config.readyAtPs === undefined) {
      const result = yield* this.#access(
        initVirtioPci({
          wants: FeatureSet.of(...config.features),
          configVector: 0,
          setupQueue: (queue, _max, features) => {
            if (queue > 1) return undefined;
            const packed = features.has('RING_PACKED');
            const place = ringPlace(queue, config.size, packed, features.has('EVENT_IDX'));
            return {
              size: config.size,
              descriptorArea: place.desc,
              driverArea: place.driver,
              deviceArea: place.device,
              vector: queue + 1,
            };
          },
        }),
      );
      if (!result.ok) throw new Error(`set-up failed: ${result.failure} ${result.detail}`);
      this.#features = result.value.features;
    } else {
      this.#features = FeatureSet.of(...config.features);
    }
    this.#rx = this.#queue(0);
    this.#tx = this.#queue(1);
    for (let i = 0; i < Math.min(config.size, 512); i++) this.#free.push(i);
    for (let i = 0; i < config.size; i++) this.#postRx(i);
    this.#rx.publish();
    this.#kickRx = true;
    context.addTask(this);
  }

  *#access<T>(procedure: RegisterProcedure<T>): Procedure<T> {
    const pci = this.#context.memory('pci');
    let answer = 0;
    for (;;) {
      const step = procedure.next(answer);
      if (step.done === true) return step.value;
      const { kind, offset, width, value } = step.value;
      if (kind === 'write') pci.write(offset, width, value);
      else answer = (yield pci.read(offset, width)).value;
    }
  }

  #queue(index: number): DriverQueue {
    const packed = this.#features.has('RING_PACKED');
    const eventIdx = this.#features.has('EVENT_IDX');
    const place = ringPlace(index, this.#config.size, packed, eventIdx);
    const Driver = packed ? PackedDriver : SplitDriver;
    return new Driver(this.#context.arena, this.#end.publisher, {
      size: this.#config.size,
      index,
      descOffset: this.#base + place.desc,
      driverOffset: this.#base + place.driver,
      deviceOffset: this.#base + place.device,
      features: { eventIdx, indirect: false, inOrder: this.#features.has('IN_ORDER') },
    });
  }

  #postRx(buffer: number): void {
    this.#rx!.addOne(RX_BUFFERS + buffer * STRIDE, this.#config.rxBufferBytes, true, buffer);
  }

  run(): TaskResult {
    const rx = this.#rx!;
    const tx = this.#tx!;
    const mask = this.#end.takeNotified();
    if (mask !== 0) this.#interrupts.value++;
    this.#context.meter.charge(this.#context.op('guest.poll_empty'), 1, 0);
    if (this.#kickRx || this.#kickTx) {
      if (this.#kickRx && rx.shouldKick()) this.#end.notify(0);
      if (this.#kickTx && tx.shouldKick()) this.#end.notify(1);
      this.#kickRx = false;
      this.#kickTx = false;
    }
    let work = this.#reclaim() + this.#receive();
    work += this.#send();
    if (this.#kickRx || this.#kickTx) return BARRIER;
    if (work > 0) {
      this.#state = 0;
      return DONE;
    }
    if (!this.#config.interrupts) return IDLE;
    if (this.#state === 0) {
      this.#state = 1;
      rx.enableInterrupts();
      tx.enableInterrupts();
      return BARRIER;
    }
    return IDLE;
  }

  #reclaim(): number {
    const used = this.#used;
    const count = this.#tx!.popUsed(used, 64);
    for (let i = 0; i < count; i++) this.#free.push(used.token[i]);
    return count;
  }

  #receive(): number {
    const used = this.#used;
    const { u8 } = this.#context.arena;
    if (this.#config.forwards && this.#free.length < 64) return 0;
    const count = this.#rx!.popUsed(used, 32);
    for (let i = 0; i < count; i++) {
      const buffer = used.token[i];
      const at = this.#base + RX_BUFFERS + buffer * STRIDE;
      const bytes = used.length[i];
      if (bytes >= HEADER) {
        const buffers = readNumBuffers(u8, at);
        const frame = this.#frame;
        let length = bytes - HEADER;
        frame.set(u8.subarray(at + HEADER, at + bytes));
        for (let b = 1; b < buffers; b++) {
          i++;
          const more = this.#base + RX_BUFFERS + used.token[i] * STRIDE;
          frame.set(u8.subarray(more, more + used.length[i]), length);
          length += used.length[i];
          this.#postRx(used.token[i]);
        }
        this.#take(at, buffer, frame, length, buffers, used.slot[i - buffers + 1]);
      }
      this.#postRx(buffer);
    }
    if (count > 0) {
      this.#rx!.publish();
      this.#kickRx = true;
    }
    return count;
  }

  #take(at: number, _buffer: number, frame: Uint8Array, length: number, buffers: number, slot: number): void {
    const { u8 } = this.#context.arena;
    if (this.#config.forwards) {
      const packet = this.#end.tagPacket(0, slot);
      this.#transmit(u8.subarray(at, at + HEADER + length), packet, this.#end.tagBornPs(0, slot), true);
      this.#tx!.publish();
      this.#kickTx = true;
      return;
    }
    this.#delivered.value++;
    this.#rxHasher.add(frame, 0, length);
    const fields = { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0 };
    readHeader(u8, at, fields);
    if (this.#received.length < 100) {
      this.#received.push({ length, flags: fields.flags, gsoType: fields.gsoType, buffers });
    }
  }

  #send(): number {
    const { frames, count, hostileAfter } = this.#config;
    let sent = 0;
    const startPs = this.#context.constant('run.trafficStartNs') * 1000;
    if (this.#sent < count && this.#context.now() < startPs) {
      this.#context.wakeAt(startPs);
      return 0;
    }
    while (this.#sent < count && this.#free.length > 0 && sent < 32) {
      if (this.#sent === hostileAfter) {
        const { driver } = ringPlace(1, this.#config.size, false, false);
        this.#end.publisher.u16(this.#base + driver + 2, 0x7000);
        this.#end.notify(1);
        this.#sent = count;
        return sent;
      }
      const bytes = Buffer.from(frames[this.#sent % frames.length], 'base64');
      if (!this.#transmit(bytes, this.#sent, this.#context.now(), false)) break;
      this.#sent++;
      sent++;
      this.#offered.value++;
    }
    if (sent > 0) {
      this.#tx!.publish();
      this.#kickTx = true;
    }
    return sent;
  }

  #transmit(bytes: Uint8Array, packet: number, bornPs: number, isForward: boolean): boolean {
    const buffer = this.#free.pop()!;
    const gpa = TX_BUFFERS + buffer * STRIDE * 2;
    this.#context.arena.u8.set(bytes, this.#base + gpa);
    if (isForward) this.#context.arena.u8.fill(0, this.#base + gpa, this.#base + gpa + HEADER);
    this.#end.publisher.cover(this.#base + gpa, bytes.length);
    let slot: number;
    if (this.#config.chained) {
      this.#segments.clear();
      this.#segments.push(gpa, HEADER, false);
      this.#segments.push(gpa + HEADER, 10, false);
      this.#segments.push(gpa + HEADER + 10, bytes.length - HEADER - 10, false);
      slot = this.#tx!.addChain(this.#segments, buffer);
    } else slot = this.#tx!.addOne(gpa, bytes.length, false, buffer);
    if (slot < 0) {
      this.#free.push(buffer);
      return false;
    }
    this.#end.setTag(1, slot, packet, bornPs);
    return true;
  }
}
