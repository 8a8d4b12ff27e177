import { create, fromBinary, type MessageInitShape, toBinary, vhostV1 } from '@vhostlab/contracts';
import type { CoreContext, MemoryEnd } from '@vhostlab/engine';
import { AddressSpace, PERMISSION_RW } from '@vhostlab/memory';
import { FeatureSet } from '@vhostlab/virtio-net';
import {
  type DeviceQueue,
  PackedDevice,
  queueSizeProblem,
  ringLayout,
  SplitDevice,
  violationName,
} from '@vhostlab/virtqueue';
import { METHOD_QUIESCE } from '@vhostlab/workload';
import { DirtyMarks } from './dirty-marks.ts';
import { RingLog, type RingLogging } from './ring-log.ts';
import { EINVAL, EOPNOTSUPP } from './vhost-messages.ts';

/** Log of 4 GiB of guest memory: what an arena can hold. */
const MAX_KEPT_LOG_BYTES = 131_072;

type Reply = MessageInitShape<typeof vhostV1.VhostReplySchema>;
type Handler = (request: vhostV1.VhostRequest['request']) => Reply | undefined;

/** What a back end does when the VMM changes something. */
export interface VhostEvents {
  /** Ring `index` (0 receive, 1 transmit queue of the guest) starts, or stops when undefined. */
  ring(index: number, queue: DeviceQueue | undefined): void;
  /** The memory table was replaced. `pageBytes` is the smallest page of its host mappings; Infinity without regions. */
  memory(pageBytes: number): void;
  /** Ring `index`, which may run or not, is enabled or disabled. */
  enabled(index: number, on: boolean): void;
  /** What went through ring `index` so far. */
  totals(index: number): RingTotals;
  /** Calls `done` when nothing is under way any more; absent: nothing ever is. */
  quiesce?(done: () => void): void;
}

/** What went through one ring of a pair. */
export interface RingTotals {
  frames: number;
  bytes: number;
  calls: number;
  callsSuppressed: number;
}

/** Where a control side's ends are, and what it offers. */
export interface VhostControlOptions {
  /** Names of its control end and of its memory end, and of the guest's window. */
  control: string;
  memory: string;
  window: string;
  offered: FeatureSet;
  /** Protocol features (vhost-user) that are offered; without it, the request is refused. */
  protocolFeatures?: bigint;
  events: VhostEvents;
}

/**
 * The control side of one queue pair of a vhost device: features, memory table and rings, as set by the VMM
 * through VhostRequests. A refused request is answered with an errno and a sentence and changes nothing.
 */
export class VhostControl {
  /** Guest physical addresses, for buffers. */
  readonly space: AddressSpace;
  features = FeatureSet.EMPTY;
  readonly offered: FeatureSet;
  readonly #user: AddressSpace;
  readonly #context: CoreContext;
  readonly #end: MemoryEnd;
  readonly #window: string;
  readonly #events: VhostEvents;
  readonly #queues: (DeviceQueue | undefined)[] = [undefined, undefined];
  readonly #stage: number;
  readonly #protocolFeatures: bigint | undefined;
  /** What each ring's device side writes of the ring, and whether that is logged. */
  readonly #logging: RingLogging[] = [
    { areas: [], isOn: true },
    { areas: [], isOn: true },
  ];
  /** Place of a log that is kept here; -1 before there was one. */
  #keptLog = -1;
  #keptBytes = 0;
  #table: vhostV1.MemoryRegion[] = [];
  #marks: DirtyMarks | undefined;
  #status = 0;

  constructor(context: CoreContext, options: VhostControlOptions) {
    this.#context = context;
    this.#end = context.memory(options.memory);
    this.#window = options.window;
    this.#events = options.events;
    this.offered = options.offered;
    this.#protocolFeatures = options.protocolFeatures;
    this.space = new AddressSpace(context.arena);
    this.#user = new AddressSpace(context.arena);
    this.#stage = context.stage('setup');
    context.control(options.control).onRequest((method, body, reply) => {
      if (method === METHOD_QUIESCE) {
        const done = () => reply(0, new Uint8Array(0));
        if (this.#events.quiesce === undefined) done();
        else this.#events.quiesce(done);
        return;
      }
      const answer = this.#serve(body);
      reply(answer.error ?? 0, toBinary(vhostV1.VhostReplySchema, create(vhostV1.VhostReplySchema, answer)));
    });
  }

  /**
   * Where writes to guest buffers are logged; undefined while they are not. Writes to rings are logged by the rings. A log
   * that is kept here needs VHOST_F_LOG_ALL, which the session of a real front end looks at itself.
   */
  get dirty(): DirtyMarks | undefined {
    const marks = this.#marks;
    return marks?.isKept === true && !this.features.has('LOG_ALL') ? undefined : marks;
  }

  /** Virtio status as the VMM last set it (vdpa). */
  get status(): number {
    return this.#status;
  }

  #serve(body: Uint8Array): Reply {
    let request: vhostV1.VhostRequest['request'];
    try {
      request = fromBinary(vhostV1.VhostRequestSchema, body).request;
    } catch (error) {
      return { error: EINVAL, reason: `not a VhostRequest: ${(error as Error).message}` };
    }
    const handler = request.case === undefined ? undefined : this.#handlers[request.case];
    if (handler === undefined) {
      return { error: EOPNOTSUPP, reason: `${request.case ?? 'an empty request'} is not supported` };
    }
    const reply = handler(request) ?? {};
    this.#context.recorder.note(this.#stage, `${this.#window} ${request.case}`, reply.error ?? 0, 0);
    return reply;
  }

  readonly #handlers: Partial<Record<NonNullable<vhostV1.VhostRequest['request']['case']>, Handler>> = {
    setOwner: () => undefined,
    getFeatures: () => ({ answer: { case: 'features', value: { bits: bits(this.offered) } } }),
    setFeatures: (request) => {
      if (request.case !== 'setFeatures') return undefined;
      const asked = FeatureSet.fromBigInt(request.value.features?.bits ?? 0n);
      const extra = asked.minus(this.offered);
      if (!extra.isEmpty)
        return { error: EINVAL, reason: `features 0x${bits(extra).toString(16)} were not offered` };
      this.features = asked;
      return undefined;
    },
    getProtocolFeatures: () =>
      this.#protocolFeatures === undefined
        ? { error: EOPNOTSUPP, reason: 'protocol features were not offered' }
        : { answer: { case: 'protocolFeatures', value: this.#protocolFeatures } },
    setProtocolFeatures: (request) => {
      if (request.case !== 'setProtocolFeatures') return undefined;
      const extra = request.value.bits & ~(this.#protocolFeatures ?? 0n);
      return extra === 0n
        ? undefined
        : { error: EINVAL, reason: `protocol features 0x${extra.toString(16)} were not offered` };
    },
    setLog: (request) => (request.case === 'setLog' ? this.#setLog(request.value) : undefined),
    setMemTable: (request) => (request.case === 'setMemTable' ? this.#setMemTable(request.value) : undefined),
    setVring: (request) => (request.case === 'setVring' ? this.#setVring(request.value) : undefined),
    getVringBase: (request) => {
      if (request.case !== 'getVringBase') return undefined;
      const queue = this.#queues[request.value.index & 1];
      // what was taken is given back before the ring stands still
      queue?.publishUsed();
      const base = queue?.saveBase() ?? 0;
      this.#stop(request.value.index & 1);
      return { answer: { case: 'vringBase', value: { index: request.value.index, base } } };
    },
    setVringEnable: (request) => {
      if (request.case === 'setVringEnable')
        this.#events.enabled(request.value.index & 1, request.value.enable);
      return undefined;
    },
    setVringLog: (request) => {
      if (request.case !== 'setVringLog') return undefined;
      const logging = this.#logging[request.value.index & 1];
      logging.isOn = request.value.enable;
      if (logging.areas.length > 0) logging.areas[0].gpa = Number(request.value.guestAddr);
      return undefined;
    },
    takeLog: () =>
      this.#marks?.isKept === true
        ? { answer: { case: 'log', value: this.#marks.take() } }
        : { error: EINVAL, reason: 'no dirty log is kept here; send SetLog without a window' },
    getVringState: (request) =>
      request.case === 'getVringState'
        ? { answer: { case: 'vringState', value: this.#state(request.value.index) } }
        : undefined,
    setStatus: (request) => {
      if (request.case === 'setStatus') this.#status = request.value.status;
      return undefined;
    },
    getStatus: () => ({ answer: { case: 'status', value: this.#status } }),
    getQueueNum: () => ({ answer: { case: 'queuePairs', value: 1 } }),
    resetDevice: () => {
      this.#stop(0);
      this.#stop(1);
      this.#status = 0;
      return undefined;
    },
  };

  #setMemTable(table: vhostV1.SetMemTable): Reply | undefined {
    const { arena } = this.#context;
    // tried apart, so that a refused table leaves the old one
    const fault = this.#map(table, new AddressSpace(arena), new AddressSpace(arena));
    if (fault !== undefined) return fault;
    this.space.clear();
    this.#user.clear();
    this.#map(table, this.space, this.#user);
    this.#table = table.regions;
    this.#events.memory(Math.min(...table.regions.map(({ pageBytes }) => Number(pageBytes))));
    return undefined;
  }

  #map(table: vhostV1.SetMemTable, guest: AddressSpace, user: AddressSpace): Reply | undefined {
    const base = this.#context.window(this.#window);
    for (const region of table.regions) {
      const at = base + Number(region.windowOffset);
      const size = Number(region.sizeBytes);
      const isInside = region.window === this.#window && at + size <= this.#context.arena.sizeBytes;
      if (
        !isInside ||
        guest.map(Number(region.guestPhysAddr), size, at, PERMISSION_RW) < 0 ||
        user.map(Number(region.userAddr), size, at, PERMISSION_RW) < 0
      ) {
        const where = `0x${region.guestPhysAddr.toString(16)}`;
        return {
          error: EINVAL,
          reason: `the memory region at ${where} overlaps another or lies outside its window`,
        };
      }
    }
    return undefined;
  }

  #setVring(ring: vhostV1.SetVring): Reply | undefined {
    const index = ring.index & 1;
    if (!ring.enable) {
      this.#stop(index);
      return undefined;
    }
    const packed = this.features.has('RING_PACKED');
    const format = packed ? 'packed' : 'split';
    const problem = queueSizeProblem(format, ring.num);
    if (problem !== undefined) return { error: EINVAL, reason: problem };
    const areas = ringLayout(format, ring.num, this.features.has('EVENT_IDX'));
    const addresses = [ring.descriptorAddr, ring.driverAddr, ring.deviceAddr].map(Number);
    const parts = [areas.desc, areas.driver, areas.device];
    if (addresses.some((address, i) => address % parts[i].align !== 0)) {
      return { error: EINVAL, reason: `ring ${ring.index} has an area that is not aligned` };
    }
    const places = addresses.map((address, i) =>
      this.#user.translate(address, parts[i].bytes, PERMISSION_RW),
    );
    if (places.some((place) => place < 0)) {
      return { error: EINVAL, reason: `ring ${ring.index} lies outside of the memory table` };
    }
    const place = {
      size: ring.num,
      index: ring.index,
      descOffset: places[0],
      driverOffset: places[1],
      deviceOffset: places[2],
      features: {
        eventIdx: this.features.has('EVENT_IDX'),
        indirect: this.features.has('INDIRECT_DESC'),
        inOrder: this.features.has('IN_ORDER'),
      },
    };
    const { arena } = this.#context;
    const Device = packed ? PackedDevice : SplitDevice;
    const logging = this.#logging[index];
    const queue = new Device(
      arena,
      new RingLog(this.#end.publisher, logging, () => this.#marks),
      this.space,
      place,
    );
    if (!queue.restoreBase(ring.base))
      return { error: EINVAL, reason: `base ${ring.base} lies outside of ring ${ring.index}` };
    this.#queues[index] = queue;
    const area = (offset: number, address: bigint, bytes: number) => ({
      offset,
      gpa: this.#gpaOf(address),
      bytes,
    });
    const deviceArea = area(places[2], ring.deviceAddr, areas.device.bytes);
    // a packed ring's used entries lie among its descriptors, and its event words apart
    logging.areas = packed
      ? [area(places[0], ring.descriptorAddr, areas.desc.bytes), deviceArea]
      : [deviceArea];
    logging.isOn = true;
    this.#events.ring(index, queue);
    return undefined;
  }

  #state(ring: number): MessageInitShape<typeof vhostV1.VringStateSchema> {
    const queue = this.#queues[ring & 1];
    const { frames, bytes, calls, callsSuppressed } = this.#events.totals(ring & 1);
    return {
      index: ring,
      running: queue !== undefined,
      base: queue?.saveBase() ?? 0,
      violation: queue === undefined || queue.violation === 0 ? '' : violationName(queue.violation),
      frames: BigInt(frames),
      bytes: BigInt(bytes),
      calls: BigInt(calls),
      callsSuppressed: BigInt(callsSuppressed),
    };
  }

  #gpaOf(userAddress: bigint): number {
    const region = this.#table.find(
      ({ userAddr, sizeBytes }) => userAddress >= userAddr && userAddress < userAddr + sizeBytes,
    );
    return region === undefined ? 0 : Number(region.guestPhysAddr + (userAddress - region.userAddr));
  }

  #setLog(log: vhostV1.SetLog): Reply | undefined {
    if (!log.enable) {
      this.#marks = undefined;
      return undefined;
    }
    const { arena } = this.#context;
    const bytes = Number(log.sizeBytes);
    if (log.window === '') return this.#keepLog(bytes);
    const at = this.#context.window(this.#window) + Number(log.windowOffset);
    if (log.window !== this.#window || bytes === 0 || at + bytes > arena.sizeBytes) {
      return { error: EINVAL, reason: `the log does not lie in window ${this.#window}` };
    }
    this.#marks = new DirtyMarks(arena, this.#end.publisher, at, bytes);
    return undefined;
  }

  #keepLog(bytes: number): Reply | undefined {
    if (bytes === 0 || bytes > MAX_KEPT_LOG_BYTES) {
      return {
        error: EINVAL,
        reason: `a log of ${bytes} bytes cannot be kept; 1 to ${MAX_KEPT_LOG_BYTES} can`,
      };
    }
    const { arena } = this.#context;
    if (bytes > this.#keptBytes) {
      this.#keptLog = arena.alloc(bytes);
      this.#keptBytes = bytes;
    }
    this.#marks = new DirtyMarks(arena, undefined, this.#keptLog, bytes);
    this.#marks.take();
    return undefined;
  }

  #stop(index: number): void {
    this.#queues[index] = undefined;
    this.#events.ring(index, undefined);
  }
}

function bits(features: FeatureSet): bigint {
  return (BigInt(features.high) << 32n) | BigInt(features.low);
}
