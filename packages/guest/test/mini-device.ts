import { create, fromBinary, toBinary, vhostV1 } from '@vhostlab/contracts';
import {
  BARRIER,
  type CoreContext,
  type CoreModule,
  IDLE,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { AddressSpace, PERMISSION_RW } from '@vhostlab/memory';
import {
  completeChecksum,
  FeatureSet,
  gather,
  NO_OFFLOAD,
  type PciQueue,
  RxMerge,
  readHeader,
  Segmenter,
  writeHeader,
} from '@vhostlab/virtio-net';
import { ChainBatch, type DeviceQueue, PackedDevice, SplitDevice } from '@vhostlab/virtqueue';
import { createSource, FrameHasher, type FrameSource, type TrafficSpec } from '@vhostlab/workload';

/** A back end of one queue pair that does only what tests need. */
export interface DeviceConfig {
  guest: number;
  queue: number;
  queues: number;
  /** Feature names that it offers. */
  offers: string[];
  polls: boolean;
  /** Frames that it puts into the receive queue. */
  produces?: TrafficSpec;
  /** Most chains taken before their completion is published. */
  burst?: number;
  /** Header flags of produced frames. */
  flags?: number;
  /** After so many completed chains: a used entry that breaks the driver's ring. */
  violateAfter?: number;
  violation?: 'id' | 'length' | 'jump';
  /** Refuses this request. */
  refuses?: string;
  /** Has no control channel: somebody calls `attach`. */
  direct?: boolean;
}

export interface DeviceResult {
  sha256: string;
  frames: number;
  lengths: number[];
  packets: number[];
  headers: { flags: number; gsoType: number; gsoSize: number }[];
  faults: Record<string, number>;
  requests: string[];
  kicks: number;
  calls: number;
}

const HEADER = 12;

export class MiniDevice implements Task {
  readonly name = 'device';
  readonly #context: CoreContext;
  readonly #config: DeviceConfig;
  readonly #space: AddressSpace;
  readonly #user: AddressSpace;
  readonly #queues: (DeviceQueue | undefined)[] = [undefined, undefined];
  readonly #batch = new ChainBatch(64, 64 * 24);
  readonly #hasher = new FrameHasher();
  readonly #scratch: number;
  readonly #source: FrameSource | undefined;
  readonly #result: DeviceResult = {
    sha256: '',
    frames: 0,
    lengths: [],
    packets: [],
    headers: [],
    faults: {},
    requests: [],
    kicks: 0,
    calls: 0,
  };
  #features = FeatureSet.EMPTY;
  #merge = new RxMerge(false, HEADER, 1);
  #has = false;
  #index = 0;
  #completed = 0;
  #callsDue = false;
  #asked = false;
  readonly #usedPlaces: number[] = [0, 0];
  readonly #headerAt: number;
  readonly #segmentAt: number;
  readonly #segmenter: Segmenter;
  readonly #fields = { ...NO_OFFLOAD };

  constructor(context: CoreContext, config: DeviceConfig) {
    this.#context = context;
    this.#config = config;
    this.#space = new AddressSpace(context.arena);
    this.#user = new AddressSpace(context.arena);
    this.#scratch = context.arena.alloc(70_000);
    this.#headerAt = context.arena.alloc(64);
    this.#segmentAt = context.arena.alloc(16_384);
    this.#segmenter = new Segmenter(context.arena.u8);
    if (config.produces !== undefined) {
      this.#source = createSource(config.produces, { shard: config.queue, shards: config.queues });
      this.#has = this.#source.next();
    }
    if (config.direct !== true) this.#listen();
    context.onCollect('device', () => ({
      ...this.#result,
      sha256: this.#hasher.digest(),
      frames: this.#hasher.frames,
      faults: this.#space.faultCounts(),
    }));
  }

  #listen(): void {
    this.#context.control('vhost').onRequest((_method, body, reply) => {
      const { request } = fromBinary(vhostV1.VhostRequestSchema, body);
      this.#result.requests.push(request.case ?? 'nothing');
      const isRefused = request.case === this.#config.refuses;
      const answer = isRefused ? undefined : this.#serve(request);
      const message = {
        ...(isRefused ? { error: 22, reason: 'refused by the test' } : {}),
        ...(answer === undefined ? {} : { answer }),
      };
      reply(
        isRefused ? 22 : 0,
        toBinary(vhostV1.VhostReplySchema, create(vhostV1.VhostReplySchema, message)),
      );
    });
  }

  /** Starts the rings of a driver that has set them up in registers; memory is mapped as it is. */
  attach(features: FeatureSet, bytes: number, rings: readonly PciQueue[]): void {
    const base = this.#context.window(`guest${this.#config.guest}`);
    this.#features = features;
    this.#space.map(0, bytes, base, PERMISSION_RW);
    this.#user.map(0, bytes, base, PERMISSION_RW);
    for (const { index, size, descriptorArea, driverArea, deviceArea } of rings) {
      this.#setVring({
        index,
        num: size,
        descriptorAddr: BigInt(descriptorArea),
        driverAddr: BigInt(driverArea),
        deviceAddr: BigInt(deviceArea),
      });
    }
  }

  #serve(request: vhostV1.VhostRequest['request']) {
    const base = this.#context.window(`guest${this.#config.guest}`);
    if (request.case === 'getFeatures') {
      const bits = FeatureSet.fromNames(this.#config.offers).toBigInt();
      return { case: 'features' as const, value: { bits } };
    }
    if (request.case === 'getProtocolFeatures') return { case: 'protocolFeatures' as const, value: 5n };
    if (request.case === 'setFeatures')
      this.#features = FeatureSet.fromBigInt(request.value.features?.bits ?? 0n);
    if (request.case === 'setMemTable') {
      for (const region of request.value.regions) {
        const at = base + Number(region.windowOffset);
        this.#space.map(Number(region.guestPhysAddr), Number(region.sizeBytes), at, PERMISSION_RW);
        this.#user.map(Number(region.userAddr), Number(region.sizeBytes), at, PERMISSION_RW);
      }
    }
    if (request.case === 'dmaMap') {
      const at = base + Number(request.value.windowOffset);
      this.#space.map(Number(request.value.iova), Number(request.value.sizeBytes), at, PERMISSION_RW);
      this.#user.map(Number(request.value.iova), Number(request.value.sizeBytes), at, PERMISSION_RW);
    }
    if (request.case === 'setVring') this.#setVring(request.value);
    return undefined;
  }

  #setVring(
    ring: Pick<vhostV1.SetVring, 'index' | 'num' | 'descriptorAddr' | 'driverAddr' | 'deviceAddr'>,
  ): void {
    const { arena } = this.#context;
    const place = (address: bigint) => {
      const at = this.#user.translate(Number(address), 4, 3);
      if (at < 0) throw new Error(`ring address ${address} is not mapped`);
      return at;
    };
    const Device = this.#features.has('RING_PACKED') ? PackedDevice : SplitDevice;
    const places = {
      size: ring.num,
      index: ring.index,
      descOffset: place(ring.descriptorAddr),
      driverOffset: place(ring.driverAddr),
      deviceOffset: place(ring.deviceAddr),
      features: {
        eventIdx: this.#features.has('EVENT_IDX'),
        indirect: this.#features.has('INDIRECT_DESC'),
        inOrder: this.#features.has('IN_ORDER'),
      },
    };
    const queue = new Device(arena, this.#context.memory('vq').publisher, this.#space, places);
    this.#queues[ring.index & 1] = queue;
    this.#usedPlaces[ring.index & 1] = places.deviceOffset;
    const mergeable = this.#features.has('MRG_RXBUF');
    this.#merge = new RxMerge(mergeable, HEADER, mergeable ? 48 : 1);
    if (this.#config.polls) queue.disableNotifications();
  }

  run(): TaskResult {
    const vq = this.#context.memory('vq');
    const [rx, tx] = this.#queues;
    for (let mask = vq.takeNotified(); mask !== 0; mask &= mask - 1) this.#result.kicks++;
    if (this.#callsDue) {
      this.#callsDue = false;
      this.#call(rx, 0);
      this.#call(tx, 1);
    }
    this.#context.meter.charge(this.#context.op('vhost.poll_empty'), 1, 0);
    if (rx === undefined || tx === undefined) return IDLE;
    const worked = this.#consume(tx) + this.#produce(rx);
    if (worked > 0) {
      this.#asked = false;
      this.#callsDue = true;
      return BARRIER;
    }
    if (this.#config.polls || this.#asked) {
      const next = this.#nextPs();
      if (next > this.#context.now() && next < Number.POSITIVE_INFINITY) this.#context.wakeAt(next);
      return IDLE;
    }
    this.#asked = true;
    rx.enableNotifications();
    tx.enableNotifications();
    return BARRIER;
  }

  #nextPs(): number {
    if (!this.#has || this.#source === undefined) return Number.POSITIVE_INFINITY;
    return this.#context.constant('run.trafficStartNs') * 1000 + this.#source.atPs;
  }

  #call(queue: DeviceQueue | undefined, vector: number): void {
    if (!queue?.shouldCall()) return;
    this.#result.calls++;
    this.#context.memory('vq').notify(vector);
  }

  #consume(tx: DeviceQueue): number {
    const batch = this.#batch;
    const { arena, meter } = this.#context;
    const vq = this.#context.memory('vq');
    const count = tx.pop(batch, this.#config.burst ?? 32);
    let bytes = 0;
    for (let c = 0; c < count; c++) {
      const slot = batch.slot[c];
      tx.pushUsed(slot, 0);
      this.#completed++;
      if (batch.status[c] !== 0) continue;
      const length = gather(arena, batch, c, 0, this.#scratch, 70_000) - HEADER;
      const header = this.#scratch;
      readHeader(arena.u8, header, this.#fields);
      this.#hashOnWire(header + HEADER, length);
      this.#result.lengths.push(length);
      this.#result.packets.push(vq.tagPacket(1, slot));
      const view = new DataView(arena.buffer, header, HEADER);
      this.#result.headers.push({
        flags: view.getUint8(0),
        gsoType: view.getUint8(1),
        gsoSize: view.getUint16(4, true),
      });
      bytes += length;
    }
    if (count === 0) return 0;
    meter.charge(this.#context.op('vhost.copy'), count, bytes);
    tx.publishUsed();
    if (this.#config.violateAfter !== undefined && this.#completed >= this.#config.violateAfter)
      this.#violate();
    return count;
  }

  /** Hashes a frame as the wire would carry it: cut and with its checksum. */
  #hashOnWire(frameAt: number, length: number): void {
    const { u8 } = this.#context.arena;
    if (this.#fields.gsoType === 0) {
      if ((this.#fields.flags & 1) !== 0) completeChecksum(u8, frameAt, length, this.#fields);
      this.#hasher.add(u8, frameAt, length);
      return;
    }
    const count = this.#segmenter.begin(frameAt, length, this.#fields);
    for (let i = 0; i < count; i++) {
      const bytes = this.#segmenter.next(this.#segmentAt);
      this.#hasher.add(u8, this.#segmentAt, bytes);
    }
  }

  /** Overwrites used entries of the split transmit ring with nonsense. */
  #violate(): void {
    const { arena } = this.#context;
    const { publisher } = this.#context.memory('vq');
    const used = this.#usedPlaces[1];
    const size = this.#queues[1]?.size ?? 0;
    if (this.#config.violation === 'jump') {
      publisher.u16(used + 2, (this.#completed + 3 * size) & 0xffff);
      return;
    }
    for (let i = 0; i < size; i++) {
      const word = (used + 4 + 8 * i) >>> 2;
      if (this.#config.violation === 'id') arena.u32[word] = size + 7;
      else arena.u32[word + 1] = 1_000_000;
    }
  }

  #produce(rx: DeviceQueue): number {
    const source = this.#source;
    if (source === undefined || !this.#has) return 0;
    const batch = this.#batch;
    const { arena, meter } = this.#context;
    const vq = this.#context.memory('vq');
    const now = this.#context.now();
    if (this.#nextPs() > now) return 0;
    const chains = rx.pop(batch, this.#config.burst ?? 32);
    let at = 0;
    let bytes = 0;
    while (this.#has && at < chains && this.#nextPs() <= now) {
      const length = source.write(arena.u8, this.#scratch);
      const buffers = this.#merge.plan(length, batch, at, chains - at);
      if (buffers <= 0) break;
      const fields = { ...source.offload, flags: source.offload.flags | (this.#config.flags ?? 0) };
      writeHeader(arena.u8, this.#headerAt, HEADER, fields, buffers);
      this.#merge.place(arena, batch, at, this.#headerAt, this.#scratch, length);
      vq.setTag(0, batch.slot[at], this.#index * this.#config.queues + this.#config.queue, now);
      for (let i = 0; i < buffers; i++) {
        const written = this.#merge.written[i];
        vq.publisher.cover(batch.offset[batch.firstSegment[at + i]], written);
        rx.pushUsed(batch.slot[at + i], written);
      }
      at += buffers;
      bytes += length;
      this.#index++;
      this.#context.counter('frames.offered').value++;
      this.#has = source.next();
    }
    rx.unpop(chains - at);
    if (at === 0) return 0;
    meter.charge(this.#context.op('vhost.copy'), at, bytes);
    rx.publishUsed();
    return at;
  }
}

export const miniDevice: CoreModule = {
  create(context: CoreContext, config: DeviceConfig): void {
    context.addTask(new MiniDevice(context, config));
  },
};
