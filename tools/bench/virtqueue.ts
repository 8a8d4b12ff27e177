import { createArena } from '../../packages/memory/src/index.ts';
import {
  ChainBatch,
  type DeviceQueue,
  DirectPublisher,
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
  readonly #base: number;
  readonly #bytes: number;

  constructor(base: number, bytes: number) {
    this.#base = base;
    this.#bytes = bytes;
  }

  translate(address: number, length: number, _access: number): number {
    return address + length <= this.#bytes ? this.#base + address : -1;
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
  const publisher = new DirectPublisher(arena);
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

/** `bursts` full cycles; returns a sum over what came back, so that nothing can be left out. */
function cycle(rig: Rig, bursts: number): number {
  const { driver, device, chains, used } = rig;
  let sum = 0;
  let next = 0;
  for (let b = 0; b < bursts; b++) {
    for (let i = 0; i < BURST; i++) {
      driver.addOne(next * BUFFER_BYTES, 60, false, next);
      next = next + 1 === QUEUE_SIZE ? 0 : next + 1;
    }
    driver.publish();
    const popped = device.pop(chains, BURST);
    for (let c = 0; c < popped; c++) {
      sum += chains.offset[chains.firstSegment[c]];
      device.pushUsed(chains.slot[c], 0);
    }
    device.publishUsed();
    const done = driver.popUsed(used, BURST);
    for (let u = 0; u < done; u++) sum += used.token[u];
  }
  return sum;
}

function measure(format: RingFormat, rounds: number, bursts: number): number[] {
  const rig = makeRig(format);
  const expected = cycle(rig, bursts);
  cycle(rig, bursts);
  const perPacketNs: number[] = [];
  for (let r = 0; r < rounds; r++) {
    const from = process.hrtime.bigint();
    const sum = cycle(rig, bursts);
    const ns = Number(process.hrtime.bigint() - from);
    if (sum !== expected) throw new Error(`${format}: buffers came back changed`);
    perPacketNs.push(ns / (bursts * BURST));
  }
  return perPacketNs.sort((a, b) => a - b);
}

/** `npm run bench -- virtqueue [rounds] [bursts]`: ns per packet, add + consume, both ring formats. */
export async function main(args: string[]): Promise<void> {
  const rounds = Number(args[0] ?? 11);
  const bursts = Number(args[1] ?? 20_000);
  console.log(
    `virtqueue: add, publish, pop, pushUsed, publishUsed, popUsed; bursts of ${BURST}, queue of ${QUEUE_SIZE}, ` +
      `${rounds} rounds of ${bursts * BURST} packets`,
  );
  for (const format of ['split', 'packed'] as const) {
    const ns = measure(format, rounds, bursts);
    const median = ns[ns.length >> 1];
    const verdict = median <= TARGET_NS ? 'met' : 'missed';
    console.log(
      `${format.padEnd(6)} ${median.toFixed(1)} ns per packet (median; ${ns[0].toFixed(1)} to ` +
        `${ns[ns.length - 1].toFixed(1)}); target ${TARGET_NS}: ${verdict}`,
    );
  }
}
