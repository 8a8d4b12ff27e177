import { spawnSync } from 'node:child_process';
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { type Arena, createArena, type Publisher } from '../../packages/memory/src/index.ts';
import {
  ChainBatch,
  type DeviceQueue,
  type DriverQueue,
  PackedDevice,
  PackedDriver,
  type RingFormat,
  ringLayout,
  SplitDevice,
  SplitDriver,
  type Translator,
  UsedBatch,
} from '../../packages/virtqueue/src/index.ts';

const QUEUE_SIZE = 256;
const BURST = 32;
const BUFFER_BYTES = 2048;
const GUEST_BYTES = QUEUE_SIZE * BUFFER_BYTES;
const TARGET_NS = 25;

/** One window of guest memory, checked like any other translation. */
class WindowTranslator implements Translator {
  #base = 0;
  #bytes = 0;

  constructor(base: number, bytes: number) {
    this.#base = base;
    this.#bytes = bytes;
  }

  translate(address: number, length: number, _access: number): number {
    return address + length <= this.#bytes ? this.#base + address : -1;
  }
}

/** Stores published words at once, as one thread needs it. */
class PlainPublisher implements Publisher {
  #u16: Uint16Array = new Uint16Array(0);
  #u32: Uint32Array = new Uint32Array(0);

  constructor(arena: Arena) {
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
  }

  cover(_offset: number, _length: number): void {}

  u16(offset: number, value: number): void {
    this.#u16[offset >>> 1] = value;
  }

  u32(offset: number, value: number): void {
    this.#u32[offset >>> 2] = value;
  }
}

interface Rig {
  readonly driver: DriverQueue;
  readonly device: DeviceQueue;
  readonly chains: ChainBatch;
  readonly used: UsedBatch;
}

function makeRig(format: RingFormat): Rig {
  const arena = createArena(4 << 20);
  const publisher = new PlainPublisher(arena);
  const layout = ringLayout(format, QUEUE_SIZE, true);
  const ring = arena.alloc(layout.bytes, 4096);
  const window = arena.alloc(GUEST_BYTES, 4096);
  const place = {
    size: QUEUE_SIZE,
    index: 0,
    descOffset: ring + layout.desc.offset,
    driverOffset: ring + layout.driver.offset,
    deviceOffset: ring + layout.device.offset,
    features: { eventIdx: true, indirect: true, inOrder: false },
  };
  const translator = new WindowTranslator(window, GUEST_BYTES);
  const driver =
    format === 'split' ? new SplitDriver(arena, publisher, place) : new PackedDriver(arena, publisher, place);
  const device =
    format === 'split'
      ? new SplitDevice(arena, publisher, translator, place)
      : new PackedDevice(arena, publisher, translator, place);
  return { driver, device, chains: new ChainBatch(BURST), used: new UsedBatch(BURST) };
}

/** What a driver does with a burst: buffers `first` and following. */
function send(driver: DriverQueue, first: number): void {
  for (let i = first; i < first + BURST; i++) driver.addOne(i * BUFFER_BYTES, 60, false, i);
  driver.publish();
}

/** What a device does with it. */
function consume(device: DeviceQueue, chains: ChainBatch): void {
  device.pushUsedBurst(chains.slot, device.pop(chains, BURST), 0);
  device.publishUsed();
}

/** `bursts` full cycles; returns how many buffers came back. */
function cycle(rig: Rig, bursts: number): number {
  const { driver, device, chains, used } = rig;
  let returned = 0;
  for (let b = 0; b < bursts; b++) {
    send(driver, (b * BURST) % QUEUE_SIZE);
    consume(device, chains);
    returned += driver.popUsed(used, BURST);
  }
  return returned;
}

/** Throws unless the last burst of a cycle came back as it was sent. */
function check(rig: Rig, bursts: number, returned: number): void {
  const first = ((bursts - 1) * BURST) % QUEUE_SIZE;
  const { chains, used } = rig;
  for (let i = 0; i < BURST; i++) {
    const isIntact =
      used.token[i] === first + i &&
      chains.address[i] === (first + i) * BUFFER_BYTES &&
      chains.status[i] === 0;
    if (!isIntact || returned !== bursts * BURST) throw new Error(`buffer ${i} came back changed`);
  }
}

/** ns per packet of `rounds` rounds, sorted. */
function measure(format: RingFormat, rounds: number, bursts: number): number[] {
  const rig = makeRig(format);
  for (let warmUp = 0; warmUp < 5; warmUp++) check(rig, 4000, cycle(rig, 4000));
  const perPacketNs: number[] = [];
  for (let r = 0; r < rounds; r++) {
    const from = process.threadCpuUsage();
    const returned = cycle(rig, bursts);
    const { user, system } = process.threadCpuUsage(from);
    check(rig, bursts, returned);
    perPacketNs.push(((user + system) * 1000) / (bursts * BURST));
  }
  return perPacketNs.sort((a, b) => a - b);
}

/** One format, in a process of its own: code that has seen both formats is compiled for both. No rounds: no report. */
function report(format: RingFormat, rounds: number, bursts: number): void {
  const ns = measure(format, rounds, bursts);
  if (ns.length === 0) return;
  const median = ns[ns.length >> 1];
  const spread = `${ns[0].toFixed(1)} to ${ns[ns.length - 1].toFixed(1)}`;
  const verdict = median <= TARGET_NS ? 'met' : 'missed';
  console.log(
    `${format.padEnd(6)} ${median.toFixed(1)} ns per packet (median; ${spread}); target ${TARGET_NS}: ${verdict}`,
  );
}

/**
 * Runs `report` in a child with the compile cache, as `vhostlab` runs: without it Node strips the types with WebAssembly,
 * whose growing memory makes every typed array access check for detached buffers. The first child fills the cache.
 */
function runChild(args: readonly string[]): void {
  enableCompileCache();
  const env = { ...process.env, NODE_COMPILE_CACHE: getCompileCacheDir() };
  const { status } = spawnSync(process.execPath, [import.meta.filename, ...args], { stdio: 'inherit', env });
  if (status !== 0) throw new Error(`the benchmark of ${args.join(' ')} failed`);
}

/** `npm run bench -- virtqueue [rounds] [bursts]`: ns of CPU time per packet, add + consume, both ring formats. */
export async function main(args: readonly string[]): Promise<void> {
  const rounds = Number(args[0] ?? 9);
  const bursts = Number(args[1] ?? 200_000);
  console.log(
    `virtqueue: addOne, publish, pop, pushUsedBurst, publishUsed, popUsed; bursts of ${BURST}, queue of ${QUEUE_SIZE}, ` +
      `${rounds} rounds of ${bursts * BURST} packets, CPU time of the thread`,
  );
  runChild(['split', '0', '0']);
  for (const format of ['split', 'packed']) runChild([format, String(rounds), String(bursts)]);
}

if (import.meta.main) {
  const [format, rounds, bursts] = process.argv.slice(2);
  report(format as RingFormat, Number(rounds), Number(bursts));
}
