import { AddressSpace, createArena, PERMISSION_RW } from '@vhostlab/memory';
import {
  ChainBatch,
  type DeviceQueue,
  DirectPublisher,
  type DriverQueue,
  PackedDevice,
  PackedDriver,
  PackedPlain,
  PlainBurst,
  type PlainRing,
  type RingFormat,
  ringLayout,
  SegmentList,
  SplitDevice,
  SplitDriver,
  SplitPlain,
  UsedBatch,
} from '../src/index.ts';

const SIZE = 64;
const BURST = 8;

interface Hot {
  readonly driver: DriverQueue;
  readonly device: DeviceQueue;
  readonly chains: ChainBatch;
  readonly used: UsedBatch;
}

function make(format: RingFormat, inOrder: boolean): Hot {
  const arena = createArena(1 << 20);
  const publisher = new DirectPublisher(arena);
  const layout = ringLayout(format, SIZE, true);
  const ring = arena.alloc(layout.bytes, 16);
  const tables = arena.alloc(SIZE * 64, 16);
  const place = {
    size: SIZE,
    index: 0,
    descOffset: ring + layout.desc.offset,
    driverOffset: ring + layout.driver.offset,
    deviceOffset: ring + layout.device.offset,
    features: { eventIdx: true, indirect: true, inOrder },
    tables: { offset: tables, address: tables, entries: 4 },
  };
  const translator = { translate: (address: number) => address };
  const split = format === 'split';
  return {
    driver: split ? new SplitDriver(arena, publisher, place) : new PackedDriver(arena, publisher, place),
    device: split
      ? new SplitDevice(arena, publisher, translator, place)
      : new PackedDevice(arena, publisher, translator, place),
    chains: new ChainBatch(BURST),
    used: new UsedBatch(BURST),
  };
}

/** Everything that happens to a burst between `add` and `popUsed`, notifications included. */
function finish({ driver, device, chains, used }: Hot): void {
  driver.publish();
  driver.shouldKick();
  device.disableNotifications();
  device.pop(chains, BURST);
  device.unpop(2);
  for (let c = 0; c < BURST - 2; c++) device.pushUsed(chains.slot[c], 0);
  device.pop(chains, BURST);
  device.enableNotifications();
  device.pushUsedBurst(chains.slot, 2, 0);
  device.publishUsed();
  device.shouldCall();
  driver.disableInterrupts();
  driver.popUsed(used, BURST);
  driver.enableInterrupts();
}

function singles(format: RingFormat, inOrder: boolean): () => (call: number) => void {
  return () => {
    const hot = make(format, inOrder);
    return (call) => {
      for (let i = 0; i < BURST; i++) hot.driver.addOne(4096 + 64 * i, 60, (call & 1) === 0, call + i);
      finish(hot);
    };
  };
}

function lists(format: RingFormat, inOrder: boolean): () => (call: number) => void {
  return () => {
    const hot = make(format, inOrder);
    const segments = new SegmentList(4);
    return (call) => {
      for (let i = 0; i < BURST; i++) {
        segments.clear();
        segments.push(4096, 12, false);
        segments.push(8192, 1500, false);
        if ((i & 1) === 0) hot.driver.addChain(segments, call);
        else hot.driver.addIndirect(segments, call);
      }
      finish(hot);
    };
  };
}

function plain(format: RingFormat, inOrder: boolean): () => (call: number) => void {
  return () => {
    const arena = createArena(1 << 20);
    const publisher = new DirectPublisher(arena);
    const space = new AddressSpace(arena);
    // two regions in turn, one with addresses beyond 31 bits
    space.map(0x1000, 0x1000, 0x1_0000, PERMISSION_RW);
    space.map(0x9_8000_0000, 0x1000, 0x2_0000, PERMISSION_RW);
    const layout = ringLayout(format, SIZE, true);
    const ring = arena.alloc(layout.bytes, 16);
    const place = {
      size: SIZE,
      index: 0,
      descOffset: ring + layout.desc.offset,
      driverOffset: ring + layout.driver.offset,
      deviceOffset: ring + layout.device.offset,
      features: { eventIdx: true, indirect: true, inOrder },
    };
    const rules = { writable: true, minBytes: 12, maxBytes: 2 ** 32 - 1 };
    const burst = new PlainBurst(BURST);
    const written = new Uint32Array(BURST).fill(60);
    const used = new UsedBatch(BURST);
    const turn = (driver: DriverQueue, device: DeviceQueue, side: PlainRing, call: number): void => {
      for (let i = 0; i < BURST; i++) driver.addOne(i < 4 ? 0x1000 : 0x9_8000_0000, 60, true, call + i);
      driver.publish();
      const found = side.peek(burst, BURST);
      side.finishWritten(burst, found, written);
      device.shouldCall();
      driver.popUsed(used, BURST);
    };
    if (format === 'split') {
      const driver = new SplitDriver(arena, publisher, place);
      const device = new SplitDevice(arena, publisher, space, place);
      const side = new SplitPlain(arena, device, space, place, rules);
      return (call) => turn(driver, device, side, call);
    }
    const driver = new PackedDriver(arena, publisher, place);
    const device = new PackedDevice(arena, publisher, space, place);
    const side = new PackedPlain(arena, device, space, place, rules);
    return (call) => turn(driver, device, side, call);
  };
}

/** Bursts that must not allocate. */
export const hotCases = {
  'split, single descriptors': singles('split', false),
  'split, single descriptors, IN_ORDER': singles('split', true),
  'split, chains and tables': lists('split', false),
  'packed, single descriptors': singles('packed', false),
  'packed, single descriptors, IN_ORDER': singles('packed', true),
  'packed, chains and tables': lists('packed', false),
  'split, plain side': plain('split', false),
  'packed, plain side, IN_ORDER': plain('packed', true),
};
