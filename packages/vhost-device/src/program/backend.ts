import { Reactor, reserveArena } from '@vhostlab/host';
import type { WorkerNote } from '../control/commands.ts';
import { DeviceConfigSpace } from '../control/config-space.ts';
import { RealDevice } from '../control/device.ts';
import { WorkerPool } from '../control/worker-pool.ts';
import { RealLink } from '../link/real-link.ts';
import { ArenaMapper } from '../memory/arena-mapper.ts';
import { OffsetAllocator } from '../memory/offset-allocator.ts';
import { SharedStatistics } from '../stats/shared-statistics.ts';
import { type Hosting, hostingOf } from './hosting.ts';
import { offeredProtocolFeatures } from './offer.ts';
import type { BackendOptions } from './options.ts';
import { ServedDevice } from './served-device.ts';
import { type ConnectionSource, connectTo, inherited, listenAt } from './socket-server.ts';

/** Offsets of the arena have 32 bits. */
const ARENA_BYTES = 2 ** 32;
/** The most regions a front end may add one by one. */
const MEM_SLOTS = 509;

/** Where a back end tells what happens. */
export interface BackendLog {
  line(text: string): void;
  /** Every message too. */
  readonly messages: boolean;
}

/** A back end that runs in this process. */
export interface Backend {
  readonly devices: readonly ServedDevice[];
  readonly statistics: SharedStatistics;
  /** With the port `link`: the link. */
  readonly link?: RealLink;
  /** Resolves when it ended by itself: an inherited connection is over, or (rejects) a worker failed. */
  readonly ended: Promise<void>;
  /** Ends connections and workers, closes everything. */
  stop(): Promise<void>;
}

/**
 * Starts devices and workers in this process. Memory of peers is mapped here, so a peer that truncates its file kills the
 * process: run it under `supervise`. Throws the system's error (HostError: a socket, a tap) that names the thing.
 */
export async function startBackend(options: BackendOptions, log: BackendLog): Promise<Backend> {
  const { port, security, queuePairs } = options;
  if (port.kind !== 'link') return startDevices(options, log);
  const link = await RealLink.start({ ...port, security }, queuePairs, log.line);
  const open = { pairs: link.pairs, statistics: link.statistics.buffer };
  try {
    const backend = await startDevices({ ...options, port: { ...port, open } }, log);
    const stop = async (): Promise<void> => {
      await backend.stop();
      await link.stop();
    };
    return { ...backend, link, stop };
  } catch (error) {
    await link.stop();
    throw error;
  }
}

async function startDevices(options: BackendOptions, log: BackendLog): Promise<Backend> {
  const devices = Math.max(1, options.sockets.length);
  const hosting = await hostingOf(options, devices);
  const arena = reserveArena(ARENA_BYTES);
  const reactor = new Reactor();
  const statistics = new SharedStatistics(devices, 2 * options.queuePairs);
  const { ownBytes } = hosting;
  arena.mapAnonymous(0, ownBytes * options.workers);
  const mapper = new ArenaMapper(arena, new OffsetAllocator(ownBytes * options.workers, ARENA_BYTES));
  const served: ServedDevice[] = [];
  const pool = new WorkerPool(
    hosting.module,
    Array.from({ length: options.workers }, (_, worker) =>
      hosting.config(worker, {
        arena: { address: arena.address, sizeBytes: arena.sizeBytes },
        ownOffset: worker * ownBytes,
        statistics: statistics.buffer,
        devices,
      }),
    ),
    (note: WorkerNote) => served[note.device]?.onNote(note),
  );
  const failure = pool.failure();
  const stop = async (): Promise<void> => {
    await Promise.all(served.map((device) => device.close()));
    await pool.stop();
    await reactor.stop();
    arena.release();
  };
  try {
    await Promise.race([pool.ready(), failure.then((error) => Promise.reject(error))]);
    const sources = openSources(options, reactor);
    for (const [number, source] of sources.entries()) {
      served.push(
        new ServedDevice(
          makeDevice(number, options, hosting, pool),
          source,
          mapper,
          reactor,
          log.line,
          log.messages,
        ),
      );
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const allGone = Promise.all(served.map((device) => device.ended)).then(() => undefined);
  const ended = Promise.race([allGone, failure.then((error) => Promise.reject(error))]);
  ended.catch(() => undefined);
  return { devices: served, statistics, ended, stop };
}

function makeDevice(number: number, options: BackendOptions, hosting: Hosting, pool: WorkerPool): RealDevice {
  const { mac, queuePairs, mtuBytes, port, queueSize } = options;
  const config = new DeviceConfigSpace(mac, queuePairs, mtuBytes);
  const offer = {
    features: hosting.features,
    protocolFeatures: offeredProtocolFeatures(port),
    queuePairs,
    maxQueueSize: queueSize,
    memSlots: MEM_SLOTS,
    config: () => config.bytes(),
  };
  return new RealDevice(number, offer, config, pool);
}

/** Opens all sockets, or none. */
function openSources(options: BackendOptions, reactor: Reactor): ConnectionSource[] {
  if (options.fd !== undefined) return [inherited(options.fd, reactor)];
  const sources: ConnectionSource[] = [];
  try {
    for (const path of options.sockets) {
      sources.push(options.client ? connectTo(path, reactor) : listenAt(path, reactor));
    }
    return sources;
  } catch (error) {
    for (const source of sources) source.close();
    throw error;
  }
}
