import type { Arena } from '@vhostlab/memory';
import type { RingBase, RingPlacement } from '@vhostlab/vhost-user';
import { FeatureSet } from '@vhostlab/virtio-net';
import type { RingStart, WorkerCommand, WorkerNote } from '../control/commands.ts';
import { GuestMemory } from '../rings/guest-memory.ts';
import { InflightParts } from '../rings/inflight/inflight-part.ts';
import { ReceiveRing } from '../rings/receive-ring.ts';
import { Ring } from '../rings/ring.ts';
import { TransmitRing } from '../rings/transmit-ring.ts';
import type { SharedStatistics } from '../stats/shared-statistics.ts';
import type { QueuePair } from './queue-pair.ts';

/** What a device needs of the worker around it. */
export interface DeviceSurroundings {
  readonly arena: Arena;
  readonly statistics: SharedStatistics;
  /** Arena offset of RECEIVE_SCRATCH_BYTES, where headers and segments are put together. */
  readonly scratch: number;
  /** The queue pairs of this device that belong to this worker. */
  readonly pairs: ReadonlyMap<number, QueuePair>;
  /** Rings came, went or changed their eventfds: who waits has to look again. */
  ringsChanged(): void;
  note(note: WorkerNote): void;
}

interface StartedRing {
  ring: Ring;
  size: number;
}

/** One device as one worker sees it: carries out what the session decided. Nothing here waits. */
export class DeviceWorker {
  readonly number: number;
  readonly memory: GuestMemory;
  readonly #around: DeviceSurroundings;
  readonly #rings = new Map<number, StartedRing>();
  readonly #inflight = new InflightParts();
  #features = FeatureSet.EMPTY;

  constructor(number: number, around: DeviceSurroundings) {
    this.number = number;
    this.#around = around;
    this.memory = new GuestMemory(around.arena);
  }

  /** The started rings. */
  *rings(): Iterable<Ring> {
    for (const { ring } of this.#rings.values()) yield ring;
  }

  handle(command: WorkerCommand): unknown {
    switch (command.do) {
      case 'features':
        return this.#negotiate(command.features);
      case 'memory':
        this.memory.setRegions(command.regions);
        return this.#place(command.rings);
      case 'iotlb':
        if (command.kind === 'update') this.memory.updateIotlb(command.ranges);
        else this.memory.invalidateIotlb(command.ranges);
        return this.#place(command.rings);
      case 'start':
        return this.#start(command.ring);
      case 'stop':
        return this.#stop(command.index);
      case 'enable':
        return this.#change(command.index, (ring) => {
          ring.enabled = command.on;
        });
      case 'call':
        return this.#change(command.index, (ring) => {
          ring.callNumber = command.fd;
        });
      case 'err':
        return this.#change(command.index, (ring) => {
          ring.errNumber = command.fd;
        });
      case 'ring-log':
        return this.#change(command.index, (ring) => {
          ring.usedLogGpa = command.usedLogGpa;
        });
      case 'log':
        return this.memory.setLog(command.log);
      case 'reset':
        return this.#reset();
      case 'rarp':
        this.#around.pairs.get(0)?.announce(command.mac);
        return undefined;
      case 'kick':
        // a command wakes the worker, and it looks at every ring then
        return undefined;
      case 'inflight':
        return this.#inflight.set(command.area);
    }
  }

  #negotiate(features: bigint): void {
    this.#features = FeatureSet.fromBigInt(features);
    this.memory.negotiate(this.#features.has('ACCESS_PLATFORM'));
    for (const pair of this.#around.pairs.values()) pair.port?.negotiated(features);
  }

  #start(start: RingStart): string | null {
    const { arena, statistics } = this.#around;
    const counters = statistics.counters(this.number, start.index);
    const part = this.#inflight.partOf(start);
    if (typeof part === 'string') return part;
    const ring = Ring.start(start, this.#features, arena, this.memory, counters, part);
    if (typeof ring === 'string') return ring;
    this.#inflight.started(start.index);
    this.#rings.set(start.index, { ring, size: start.size });
    this.#attach(start.index, ring);
    this.#around.ringsChanged();
    return null;
  }

  #stop(index: number): RingBase {
    const started = this.#rings.get(index);
    if (started === undefined) throw new Error(`ring ${index} is stopped but was not started`);
    this.#rings.delete(index);
    this.#attach(index, undefined);
    started.ring.countPosition();
    this.#around.ringsChanged();
    return started.ring.base();
  }

  #change(index: number, change: (ring: Ring) => void): void {
    const started = this.#rings.get(index);
    if (started !== undefined) change(started.ring);
  }

  /** Goes on with rings at their new places; those without one pause. */
  #place(placements: readonly RingPlacement[]): void {
    for (const { index, areas } of placements) {
      const started = this.#rings.get(index);
      if (started === undefined) continue;
      if (areas === null) {
        started.ring.isPlaced = false;
        continue;
      }
      const problem = this.#start(started.ring.startAt(areas, started.size));
      if (problem !== null) throw new Error(`ring ${index} cannot be moved: ${problem}`);
    }
  }

  #reset(): void {
    for (const index of [...this.#rings.keys()]) this.#stop(index);
    this.memory.clear();
    this.#inflight.set(null);
  }

  #attach(index: number, ring: Ring | undefined): void {
    const pair = this.#around.pairs.get(index >> 1);
    if (pair === undefined) throw new Error(`ring ${index} does not belong to this worker`);
    const onMiss = (iova: number, write: boolean): void => {
      this.#around.note({ note: 'iotlb-miss', device: this.number, iova, write });
    };
    const { arena, scratch } = this.#around;
    if (index % 2 === 0) {
      pair.attachReceive(
        ring && new ReceiveRing(ring, this.#features, arena, scratch, onMiss),
        this.#features,
      );
    } else {
      pair.attachTransmit(
        ring && new TransmitRing(ring, this.#features, arena, scratch, onMiss),
        this.#features,
      );
    }
  }
}
