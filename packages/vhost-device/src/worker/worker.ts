import { attachArena, drainEvent, monotonicNs, Poller, setAffinity, type ThreadInbox } from '@vhostlab/host';
import { Arena } from '@vhostlab/memory';
import type { WorkerCommand, WorkerNote, WorkerOrder } from '../control/commands.ts';
import { FrameBatch } from '../frames/frame-batch.ts';
import { createPort } from '../ports/create-port.ts';
import { RECEIVE_SCRATCH_BYTES } from '../rings/receive-ring.ts';
import { COUNTER } from '../stats/queue-counters.ts';
import { SharedStatistics } from '../stats/shared-statistics.ts';
import { DeviceWorker } from './device-worker.ts';
import { QueuePair } from './queue-pair.ts';
import type { WorkerConfig } from './worker-config.ts';

/** Turns of a poll loop between two looks at everything that is not a ring. */
const CHORES_EVERY = 4096;
const MAX_SLEEP_MS = 1000;
/** Rings without a kick eventfd are looked at this often by a worker that sleeps. */
const BLIND_SLEEP_MS = 1;
const NS_PER_MS = 1e6;
/** Looks at a packed transmitq that a worker which polls lets pass while less than a burst is there. */
const PATIENCE = 16;

const WAKE = 0;

/** A worker thread: owns queue pairs of one or several devices and moves their frames until its process ends. */
export class Worker {
  readonly #config: WorkerConfig;
  readonly #inbox: ThreadInbox;
  readonly #devices: DeviceWorker[];
  readonly #pairs: QueuePair[] = [];
  #poller = new Poller();
  /** Kick counters of the descriptors that the poller knows, by token. */
  readonly #kicked = new Map<number, { number: number; counters: Float64Array | undefined }>();
  #hasBlindRing = false;
  /** Without a ring even a polling worker sleeps. */
  #ringCount = 0;
  #isStale = true;
  #isEnding = false;
  #turns = 0;
  #idleSinceNs = 0;

  constructor(config: WorkerConfig, inbox: ThreadInbox) {
    this.#config = config;
    this.#inbox = inbox;
    if (config.cpus.length > 0) setAffinity(config.cpus);
    const mapped = attachArena(config.arena.address, config.arena.sizeBytes);
    const arena = new Arena(mapped.buffer).within(config.ownOffset, config.ownBytes);
    const statistics = new SharedStatistics(config.devices, 2 * config.queuePairs, config.statistics);
    const batch = new FrameBatch(arena, config.frameBytes);
    const scratch = arena.alloc(RECEIVE_SCRATCH_BYTES);
    const patience = config.mode === 'interrupt' ? 0 : PATIENCE;
    this.#devices = Array.from({ length: config.devices }, (_, device) => {
      const pairs = new Map<number, QueuePair>();
      for (let pair = config.worker; pair < config.queuePairs; pair += config.workers) {
        const place = { mapped, arena, pair, pairs: config.queuePairs, frameBytes: config.frameBytes };
        const port = createPort(config.port, place);
        const queuePair = new QueuePair(port, config.port.kind === 'macswap', batch, arena, patience);
        pairs.set(pair, queuePair);
        this.#pairs.push(queuePair);
      }
      return new DeviceWorker(device, {
        arena,
        statistics,
        scratch,
        pairs,
        ringsChanged: () => {
          this.#isStale = true;
        },
        note: (note: WorkerNote) => inbox.note(note),
      });
    });
  }

  /** Returns when the worker was told to end, with everything closed. */
  run(): void {
    const { mode } = this.#config;
    this.#idleSinceNs = monotonicNs();
    while (!this.#isEnding) {
      this.#inbox.serve((body) => this.#handle(body as WorkerCommand | WorkerOrder));
      if (this.#isEnding) break;
      if (this.#isStale) this.#ringsChanged();
      let handled = 0;
      for (const pair of this.#pairs) handled += pair.turn();
      if (++this.#turns % CHORES_EVERY === 0) this.#chores();
      if (this.#ringCount === 0) this.#sleep(monotonicNs());
      else if (mode !== 'poll' && handled === 0) this.#idle();
      else if (mode === 'adaptive') this.#idleSinceNs = 0;
    }
    for (const { port } of this.#pairs) port?.close();
    this.#poller.close();
  }

  #handle(command: WorkerCommand | WorkerOrder): unknown {
    if (command === 'ready') return undefined;
    if (command === 'end') {
      this.#isEnding = true;
      return undefined;
    }
    const device = this.#devices[command.device];
    if (device === undefined) throw new Error(`there is no device ${command.device}`);
    return device.handle(command);
  }

  #idle(): void {
    const nowNs = monotonicNs();
    if (this.#config.mode === 'adaptive') {
      if (this.#idleSinceNs === 0) this.#idleSinceNs = nowNs;
      if (nowNs - this.#idleSinceNs < this.#config.spinNs) return;
    }
    for (const pair of this.#pairs) pair.wantKicks(true);
    if (!this.#pairs.some((pair) => pair.hasWork(nowNs))) this.#sleep(nowNs);
    for (const pair of this.#pairs) pair.wantKicks(false);
    this.#idleSinceNs = 0;
  }

  #sleep(nowNs: number): void {
    this.#chores();
    let dueMs = this.#hasBlindRing ? BLIND_SLEEP_MS : MAX_SLEEP_MS;
    for (const pair of this.#pairs) dueMs = Math.min(dueMs, Math.ceil(pair.dueInNs(nowNs) / NS_PER_MS));
    const ready = this.#poller.wait(dueMs);
    for (let i = 0; i < ready; i++) {
      const token = this.#poller.token(i);
      // a command may have been served before its signal came, and would wake the thread for ever
      if (token === WAKE) drainEvent(this.#inbox.wakeNumber);
      else this.#kick(token);
    }
  }

  /** A descriptor is ready: a ring's is read, a port reads its own. */
  #kick(token: number): void {
    const kicked = this.#kicked.get(token);
    if (kicked?.counters === undefined) return;
    if (drainEvent(kicked.number)) {
      kicked.counters[COUNTER.kicks]++;
      return;
    }
    // a pipe whose writer is gone is ready and has nothing to read: it would keep the thread awake
    this.#kicked.delete(token);
    this.#poller.remove({ number: kicked.number });
    this.#hasBlindRing = true;
  }

  /** What is done now and then: positions for whoever looks, violations, kicks that nobody waited for, files. */
  #chores(): void {
    for (const device of this.#devices) {
      for (const ring of device.rings()) {
        ring.countPosition();
        const reason = ring.takeViolation();
        if (reason !== undefined) {
          this.#inbox.note({ note: 'violation', device: device.number, index: ring.index, reason });
        }
        if (this.#config.mode === 'poll' && ring.kickNumber >= 0 && drainEvent(ring.kickNumber)) {
          ring.counters[COUNTER.kicks]++;
        }
      }
    }
    for (const pair of this.#pairs) pair.port?.flush();
  }

  /** Waits for the kicks of the rings that there are now. */
  #ringsChanged(): void {
    this.#isStale = false;
    for (const pair of this.#pairs) pair.wantKicks(false);
    this.#ringCount = this.#devices.reduce((sum, device) => sum + [...device.rings()].length, 0);
    this.#poller.close();
    this.#poller = new Poller();
    this.#kicked.clear();
    this.#hasBlindRing = false;
    this.#watch(this.#inbox.wakeNumber, undefined);
    if (this.#config.mode === 'poll') return;
    for (const device of this.#devices) {
      for (const ring of device.rings()) {
        if (ring.kickNumber >= 0) this.#watch(ring.kickNumber, ring.counters);
        else this.#hasBlindRing = true;
      }
    }
    for (const { port } of this.#pairs) {
      if (port !== undefined && port.waitNumber >= 0) this.#watch(port.waitNumber, undefined);
    }
  }

  #watch(number: number, counters: Float64Array | undefined): void {
    const token = WAKE + this.#kicked.size;
    this.#kicked.set(token, { number, counters });
    this.#poller.add({ number, kind: 'descriptor of a worker' }, token);
  }
}
