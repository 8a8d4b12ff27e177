import { create, fromBinary, toBinary, vhostV1 } from '@vhostlab/contracts';
import type { CoreContext, MemoryEnd } from '@vhostlab/engine';
import { type Arena, createArena, DirtyLog, dirtyLogBytes, PacketPool } from '@vhostlab/memory';
import { FeatureSet } from '@vhostlab/virtio-net';
import {
  DirectPublisher,
  type DriverQueue,
  PackedDriver,
  type RingFormat,
  SplitDriver,
} from '@vhostlab/virtqueue';
import { VhostPair, type VhostRequestInit } from '../src/index.ts';
import { GPA_BASE, guestLayout, USER_BASE } from '../test-kit/index.ts';

const SIZE = 256;

/** A queue pair between a driver and a pool, without any engine: words are visible at once. */
export interface PairRig {
  arena: Arena;
  pair: VhostPair;
  pool: PacketPool;
  drivers: [DriverQueue, DriverQueue];
  /** Guest address and arena offset of buffer `slot` of ring `index`. */
  bufferGpa(index: number, slot: number): number;
  bufferOffset(index: number, slot: number): number;
  /** Sends a request of the VMM; answers the reply. */
  ask(request: VhostRequestInit | undefined): vhostV1.VhostReply;
  notified: number;
  /** Window offset and size of a dirty log, its pages since the last look, and where a ring's used entries start. */
  logOffset: number;
  logBytes: number;
  dirtyPages(): number[];
  usedGpa(index: number): number;
  counters: Map<string, { value: number }>;
}

/** A pair with both rings set up, features by name. */
export function createPairRig(format: RingFormat, features: readonly string[]): PairRig {
  const layout = guestLayout(format, SIZE);
  const arena = createArena(layout.bytes + (8 << 20));
  const logBytes = dirtyLogBytes(GPA_BASE + layout.bytes);
  const base = arena.alloc(layout.bytes + logBytes, 4096);
  const log = new DirtyLog(arena, base + layout.bytes, logBytes);
  const publisher = new DirectPublisher(arena);
  const counters = new Map<string, { value: number }>();
  let serve: (body: Uint8Array) => Uint8Array = () => new Uint8Array(0);
  const end = {
    publisher,
    setTag: () => undefined,
    tagPacket: () => -1,
    tagBornPs: () => 0,
    notify: () => {
      rig.notified++;
    },
  } as unknown as MemoryEnd;
  const context = {
    arena,
    meter: { charge: () => undefined, book: () => undefined },
    recorder: { sampled: () => false, event: () => undefined, note: () => undefined },
    now: () => 0,
    op: () => 0,
    stage: () => 0,
    constant: (name: string) => (name.startsWith('tlb.l2') ? 1536 : 64),
    window: () => base,
    memory: () => end,
    control: () => ({
      onRequest: (
        handler: (m: number, body: Uint8Array, reply: (s: number, b: Uint8Array) => void) => void,
      ) => {
        serve = (body) => {
          let answer = new Uint8Array(0);
          handler(1, body, (_status, bytes) => {
            answer = new Uint8Array(bytes);
          });
          return answer;
        };
      },
    }),
    counter: (name: string) => {
      const counter = counters.get(name) ?? { value: 0 };
      counters.set(name, counter);
      return counter;
    },
  } as unknown as CoreContext;
  const offered = FeatureSet.fromNames(features);
  const pair = new VhostPair(context, { guest: 0, pair: 0, offered, pageBytes: 4096 });
  const place = (index: number) => {
    const areas = layout.rings[index];
    return {
      size: SIZE,
      index,
      descOffset: base + areas.desc,
      driverOffset: base + areas.driver,
      deviceOffset: base + areas.device,
      features: {
        eventIdx: offered.has('EVENT_IDX'),
        indirect: offered.has('INDIRECT_DESC'),
        inOrder: offered.has('IN_ORDER'),
      },
    };
  };
  const Driver = format === 'packed' ? PackedDriver : SplitDriver;
  const rig: PairRig = {
    arena,
    pair,
    pool: new PacketPool(arena, { buffers: 512, bufferBytes: 2176, headroomBytes: 128 }),
    drivers: [new Driver(arena, publisher, place(0)), new Driver(arena, publisher, place(1))],
    bufferGpa: (index, slot) => GPA_BASE + layout.rings[index].buffers + slot * layout.bufferBytes,
    bufferOffset: (index, slot) => base + layout.rings[index].buffers + slot * layout.bufferBytes,
    ask: (request) => {
      const message = create(vhostV1.VhostRequestSchema, request === undefined ? {} : { request });
      return fromBinary(vhostV1.VhostReplySchema, serve(toBinary(vhostV1.VhostRequestSchema, message)));
    },
    notified: 0,
    logOffset: layout.bytes,
    logBytes,
    dirtyPages: () => {
      const pages = new Float64Array(64);
      return [...pages.subarray(0, log.take(pages))];
    },
    usedGpa: (index) => GPA_BASE + layout.rings[index][format === 'packed' ? 'desc' : 'device'],
    counters,
  };
  rig.ask({ case: 'setFeatures', value: { features: { bits: offered.toBigInt(), bitsHigh: 0n } } });
  const region = {
    guestPhysAddr: BigInt(GPA_BASE),
    sizeBytes: BigInt(layout.bytes),
    userAddr: BigInt(USER_BASE),
    window: 'guest0',
    windowOffset: 0n,
    pageBytes: 4096n,
  };
  rig.ask({ case: 'setMemTable', value: { regions: [region] } });
  for (const index of [0, 1]) rig.ask({ case: 'setVring', value: vring(format, index) });
  return rig;
}

/** The request that starts ring `index` of a rig. */
export function vring(format: RingFormat, index: number) {
  const areas = guestLayout(format, SIZE).rings[index];
  return {
    index,
    num: SIZE,
    descriptorAddr: BigInt(USER_BASE + areas.desc),
    driverAddr: BigInt(USER_BASE + areas.driver),
    deviceAddr: BigInt(USER_BASE + areas.device),
    base: format === 'packed' ? 0x8000_8000 : 0,
    kick: true,
    call: true,
    kickVector: index,
    callVector: index,
    enable: true,
  };
}
