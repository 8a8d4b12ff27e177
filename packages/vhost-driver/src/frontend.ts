import { monotonicMs, Reactor, sleep, within } from '@vhostlab/host';
import { type CloseReason, FrontendRequestError, type FrontendSession } from '@vhostlab/vhost-user';
import type { FeatureSet } from '@vhostlab/virtio-net';
import { FrontendError } from './errors.ts';
import { type FrontendFigures, latencyOf, readQueues, sumOf, verifiedOf } from './figures.ts';
import type { Frontend, FrontendEnd, FrontendResult } from './frontend-api.ts';
import { Guest } from './guest.ts';
import { kernelBackends } from './kernel/kernel-backend.ts';
import type { GuestMemory } from './memory/guest-memory.ts';
import { type FrontendOptions, type Settings, settingsOf, type Workload } from './options.ts';
import { RawRing } from './raw-ring.ts';
import { agreementOf } from './session/agreement.ts';
import type { BackendSession, BackendSource } from './session/backend.ts';
import { InflightRegion } from './session/inflight-region.ts';
import { RingEvents } from './session/ring-events.ts';
import { socketBackends } from './session/socket-backend.ts';
import type { QueuePlan } from './worker/plan.ts';
import type { WorkerPool } from './worker-pool.ts';

/** How long buffers under way may take to come back at the end. */
const DRAIN_MS = 1000;
/** How often limits are looked at, and how long nothing may come until `verify` takes the rest for lost. */
const LOOK_MS = 20;
const QUIET_MS = 500;
/** Between two attempts with a back end that does not fit. */
const RETRY_MS = 100;

/**
 * Makes guest memory and rings, takes the first back end and starts the workload. Rejects with a FrontendError: nothing is
 * left open then.
 */
export async function startFrontend(options: FrontendOptions): Promise<Frontend> {
  const settings = settingsOf(options);
  const frontend = new DriverFrontend(settings, new Guest(settings));
  try {
    await frontend.begin();
    return frontend;
  } catch (error) {
    await frontend.release();
    throw asFrontendError(error);
  }
}

class DriverFrontend implements Frontend {
  readonly memory: GuestMemory;
  readonly rings: readonly QueuePlan[];
  readonly ended: Promise<FrontendEnd>;
  readonly #settings: Settings;
  readonly #guest: Guest;
  readonly #reactor = new Reactor();
  #source: BackendSource | undefined;
  #backend: BackendSession | undefined;
  #events: RingEvents[] = [];
  readonly #inflight = new InflightRegion();
  #features: FeatureSet | undefined;
  #connections = 0;
  #startMs = monotonicMs();
  #isStopping = false;
  #stopped: Promise<FrontendResult> | undefined;
  #end: (end: FrontendEnd) => void = () => undefined;
  #following: Promise<void> = Promise.resolve();

  constructor(settings: Settings, guest: Guest) {
    this.#settings = settings;
    this.#guest = guest;
    this.memory = guest.memory;
    this.rings = guest.rings;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  #listenTo(pool: WorkerPool): void {
    const { workload } = this.#settings;
    pool.onBroken = (queue, violation) => this.#settings.onEvent({ kind: 'broken', queue, violation });
    pool.onDeath = (error) => this.#end({ why: 'failed', text: `a worker thread died: ${error.message}` });
    pool.onDone = () => {
      // what was sent last may still be on its way back, if anything comes back
      const comesBack =
        (workload.kind === 'verify' && workload.direction !== 'send') || this.figures().rx.packets > 0;
      void (comesBack ? this.#quiet() : Promise.resolve()).then(() =>
        this.#end({ why: 'done', text: 'the workload is complete' }),
      );
    };
    const packets = receiveLimit(workload);
    if (packets !== undefined) void this.#watchLimit(packets);
  }

  get features(): FeatureSet {
    if (this.#features === undefined) throw new Error('nothing was agreed on yet');
    return this.#features;
  }

  get session(): FrontendSession {
    const { messages } = this.#attached;
    if (messages === undefined) throw new Error('the kernel takes no messages');
    return messages;
  }

  get #attached(): BackendSession {
    if (this.#backend === undefined) throw new Error('there is no session yet');
    return this.#backend;
  }

  /** Takes the first back end; then goes on by itself. */
  async begin(): Promise<void> {
    const { server, vhostNet, connectTimeoutMs } = this.#settings;
    // whoever connects is served at once
    if (server) await this.#startThreads();
    this.#source =
      vhostNet === undefined
        ? socketBackends(this.#settings, this.#reactor)
        : kernelBackends(this.#settings, vhostNet);
    await this.#take(connectTimeoutMs);
    this.#startMs = monotonicMs();
    this.#following = this.#follow();
  }

  async #startThreads(): Promise<void> {
    await this.#guest.start((pool) => this.#listenTo(pool));
  }

  /** Takes the next back end: agrees with it, hands it memory and rings. False: the link was closed meanwhile. */
  async #take(timeoutMs: number): Promise<boolean> {
    const backend = await this.#source!.next(timeoutMs);
    if (backend === undefined) return false;
    const events = this.rings.map(() => new RingEvents());
    try {
      const features = await backend.agree(this.#features);
      const bases = await this.#prepare(features);
      if (this.#settings.inflight) await backend.handInflight(this.#inflight);
      await backend.begin(this.memory, this.rings, bases, events);
      this.#features = features;
      this.#backend = backend;
      this.#events = events;
      this.#connections++;
      await this.#guest.pool?.attach(
        this.rings.map(({ index }, at) => ({
          index,
          kick: events[at].kick.number,
          call: events[at].call.number,
        })),
      );
      this.#settings.onEvent({ kind: 'started', features: String(features), connection: this.#connections });
      return true;
    } catch (error) {
      backend.close('the front end gave up');
      await backend.finished;
      for (const ring of events) ring.close();
      throw error;
    }
  }

  /** Makes the rings ready for a back end; where each begins. */
  async #prepare(features: FeatureSet): Promise<number[]> {
    const agreement = agreementOf(features);
    const guest = this.#guest;
    if (this.#features === undefined) {
      if (guest.pool === undefined) await this.#startThreads();
      await guest.configure(agreement);
      return guest.startBases();
    }
    if (guest.pool === undefined) return guest.startBases();
    const isKept = this.#settings.inflight && (await guest.pool.isSound());
    if (!isKept) this.#inflight.forget();
    const restarts = isKept ? await guest.pool.keep() : await guest.pool.rewind(agreement);
    this.#settings.onEvent({ kind: 'restarting', rings: restarts });
    return restarts.map(({ base }) => base);
  }

  /** Waits for the end of each session, and takes another back end if it may. Never rejects. */
  async #follow(): Promise<void> {
    try {
      while (await this.#followOne());
    } catch (error) {
      this.#end({ why: 'failed', text: asFrontendError(error).message });
    }
  }

  /** The end of one session; true when another one has begun. */
  async #followOne(): Promise<boolean> {
    const reason: CloseReason = await this.#attached.finished;
    if (this.#isStopping) return false;
    this.#settings.onEvent({ kind: 'lost', reason: reason.text });
    await this.#guest.pool?.detach();
    this.#closeEvents();
    if (this.#settings.reconnect) return this.#takeAnother();
    this.#end({ why: 'lost', text: `the back end is gone: ${reason.text}` });
    return false;
  }

  async #takeAnother(): Promise<boolean> {
    for (;;) {
      try {
        return await this.#take(Number.POSITIVE_INFINITY);
      } catch (error) {
        if (this.#isStopping) return false;
        this.#settings.onEvent({ kind: 'refused', reason: asFrontendError(error).message });
        await sleep(RETRY_MS);
      }
    }
  }

  figures(): FrontendFigures {
    const queues = readQueues(this.#guest.counters, this.rings.length);
    return {
      elapsedMs: monotonicMs() - this.#startMs,
      connections: this.#connections,
      queues,
      rx: sumOf(queues.filter(({ direction }) => direction === 'rx')),
      tx: sumOf(queues.filter(({ direction }) => direction === 'tx')),
    };
  }

  rawRing(index: number): RawRing {
    const at = this.rings.findIndex((ring) => ring.index === index);
    if (at < 0) throw new RangeError(`there is no ring ${index}`);
    return new RawRing(this.memory, this.rings[at], () => this.#events[at]?.kick.number ?? -1);
  }

  /** Ends the front end by itself once so many frames have come (rx) or gone back (forward). */
  async #watchLimit(packets: number): Promise<void> {
    const { workload } = this.#settings;
    for (;;) {
      await sleep(LOOK_MS);
      if (this.#isStopping) return;
      const { rx, tx } = this.figures();
      if ((workload.kind === 'forward' ? tx.completed : rx.packets) < packets) continue;
      this.#end({ why: 'done', text: `${packets} packets have come` });
      return;
    }
  }

  /** Waits until everything that was sent has come back, or nothing comes any more. */
  async #quiet(): Promise<void> {
    let seen = -1;
    for (let quietMs = 0; quietMs < QUIET_MS && !this.#isStopping; quietMs += LOOK_MS) {
      const { rx, tx } = this.figures();
      if (rx.packets >= tx.packets) return;
      if (rx.packets !== seen) quietMs = 0;
      seen = rx.packets;
      await sleep(LOOK_MS);
    }
  }

  stop(): Promise<FrontendResult> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<FrontendResult> {
    this.#isStopping = true;
    this.#source?.close();
    try {
      const backend = this.#attached;
      const isThere = (await within(backend.finished, 0)) === undefined;
      if (isThere) await this.#drain();
      const stoppedAt = isThere ? await backend.stopRings(this.rings).catch(() => []) : [];
      await this.#guest.pool?.detach();
      const reports = (await this.#guest.pool?.report()) ?? [];
      const figures = this.figures();
      return {
        figures,
        reports,
        latency: latencyOf(reports),
        verified: verifiedOf(reports),
        isCaptureComplete: !reports.some(({ captureFailed }) => captureFailed === true),
        stoppedAt,
        undelivered: figures.tx.packets - figures.tx.completed,
      };
    } finally {
      await this.release();
    }
  }

  /** Lets the workload end and buffers under way come back. */
  async #drain(): Promise<void> {
    const pool = this.#guest.pool;
    if (pool === undefined) return;
    const drained = new Promise<void>((resolve) => {
      pool.onDone = resolve;
    });
    await pool.finish();
    await within(drained, DRAIN_MS);
  }

  #closeEvents(): void {
    for (const ring of this.#events) ring.close();
    this.#events = [];
  }

  /** Gives everything back. */
  async release(): Promise<void> {
    this.#isStopping = true;
    this.#source?.close();
    this.#backend?.close('the front end ends');
    await this.#backend?.finished;
    await this.#following;
    // threads first: they use the eventfds and the memory
    await this.#guest.close();
    this.#closeEvents();
    this.#inflight.forget();
    await this.#reactor.stop();
  }
}

/** Frames that have to come (forward: to go back) until a workload is done that does not end by sending. */
function receiveLimit(workload: Workload): number | undefined {
  if (workload.kind === 'rx' || workload.kind === 'forward') return workload.packets;
  if (workload.kind === 'verify' && workload.direction === 'check') return workload.traffic.packets;
  return undefined;
}

/** A failure of messages as a failure of the run, in one sentence. */
function asFrontendError(error: unknown): Error {
  if (error instanceof FrontendRequestError)
    return new FrontendError(`the back end failed: ${error.message}.`, 1);
  return error instanceof Error ? error : new Error(String(error));
}
