import type { CoreContext, Counter } from '@vhostlab/engine';
import { faultName, type PacketPool } from '@vhostlab/memory';
import { type DeviceQueue, violationName } from '@vhostlab/virtqueue';

/** Sampled packets whose used entries are remembered between two publications. */
const SAMPLED = 256;

/** What a queue pair charges, counts and records: numbers of operations and stages, drops, events. */
export class PairBooks {
  readonly fetch: number;
  readonly fetchPacked: number;
  readonly ringLine: number;
  readonly copy: number;
  readonly used: number;
  readonly usedPacked: number;
  readonly check: number;
  readonly call: number;
  readonly stages: { fetch: number; copy: number; used: number; call: number };
  readonly dropFull: Counter;
  readonly dropLong: Counter;
  readonly dropPool: Counter;
  readonly calls: Counter;
  readonly callsSuppressed: Counter;
  readonly #context: CoreContext;
  readonly #usedPacket = new Float64Array(SAMPLED);
  readonly #usedVector = new Uint8Array(SAMPLED);
  #usedCount = 0;
  #publishedCount = 0;

  constructor(context: CoreContext) {
    this.#context = context;
    this.fetch = context.op('vhost.fetch');
    this.fetchPacked = context.op('vhost.fetch_packed');
    this.ringLine = context.op('vhost.ring_line');
    this.copy = context.op('vhost.copy');
    this.used = context.op('vhost.used');
    this.usedPacked = context.op('vhost.used_packed');
    this.check = context.op('vhost.call_check');
    this.call = context.op('vhost.call');
    this.stages = {
      fetch: context.stage('vhost.fetch'),
      copy: context.stage('vhost.copy'),
      used: context.stage('vhost.used'),
      call: context.stage('vhost.call'),
    };
    this.dropFull = context.counter('drop.guest-ring-full');
    this.dropLong = context.counter('drop.frame-too-long');
    this.dropPool = context.counter('drop.no-buffer');
    this.calls = context.counter('calls');
    this.callsSuppressed = context.counter('calls.suppressed');
  }

  /** Counts `frames` frames on the wire dropped for `reason`. */
  drop(reason: string, frames = 1): void {
    this.#context.counter(`drop.${reason}`).value += frames;
  }

  /** Counts `frames` frames on the wire dropped because a chain has a status other than CHAIN_OK. */
  dropStatus(status: number, frames = 1): void {
    this.drop(status < 0 ? faultName(status) : `chain-${violationName(status)}`, frames);
  }

  /** Notes that a queue is broken, once per reason. */
  noteViolation(queue: DeviceQueue): void {
    if (queue.violation === 0) return;
    this.#context.counter(`violation.${violationName(queue.violation)}`).value = 1;
  }

  /** Remembers a sampled packet for the event of its used entry; what does not fit before `settle` has none. */
  noteUsed(vector: number, packet: number): void {
    if (this.#usedCount === SAMPLED || !this.#context.recorder.sampled(packet)) return;
    this.#usedPacket[this.#usedCount] = packet;
    this.#usedVector[this.#usedCount++] = vector;
  }

  /** Records the used entries of sampled packets, which are published now. */
  usedEvents(): void {
    for (; this.#publishedCount < this.#usedCount; this.#publishedCount++) {
      const i = this.#publishedCount;
      this.#context.recorder.event(this.stages.used, this.#usedPacket[i], this.#usedVector[i], 0);
    }
  }

  /** Records the call that announces what was published for `vector`: of the sampled packets, or of none. */
  callEvents(vector: number): void {
    const { recorder } = this.#context;
    let found = false;
    for (let i = 0; i < this.#publishedCount; i++) {
      if (this.#usedVector[i] !== vector) continue;
      recorder.event(this.stages.call, this.#usedPacket[i], vector, 0);
      found = true;
    }
    if (!found) recorder.event(this.stages.call, -1, vector, 0);
  }

  /** Forgets what was published: the guest was called, or did not want it. */
  settle(): void {
    this.#usedCount = 0;
    this.#publishedCount = 0;
  }

  /** Records `stage` for the sampled ones of `count` frames: guest address and length. */
  events(
    pool: PacketPool,
    indices: Uint32Array,
    addresses: Float64Array,
    count: number,
    stage: number,
  ): void {
    const { recorder } = this.#context;
    for (let i = 0; i < count; i++) {
      const index = indices[i];
      const packet = pool.packet[index];
      if (recorder.sampled(packet)) recorder.event(stage, packet, addresses[i], pool.length[index]);
    }
  }
}
