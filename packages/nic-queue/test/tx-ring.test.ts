import { PacketPool } from '@vhostlab/memory';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NicTxBurst, NicTxDevice, NicTxDriver, nicRingBytes } from '../src/index.ts';
import { connect } from './delayed-memory.ts';

const SIZE = 32;
const BIAS = 2 ** 33;

const step = fc.record({
  kind: fc.constantFrom('post', 'post', 'flush', 'read', 'complete', 'reclaim', 'down', 'up'),
  /** Segments of a packet, or how much of the step is done. */
  count: fc.integer({ min: 1, max: 4 }),
  bytes: fc.integer({ min: 1, max: 60 }),
  offload: fc.boolean(),
});

interface Packet {
  slot: number;
  segments: number;
  bytes: number[];
  offload: number[];
}

/** A driver and a device with messages between them, and lists of what must come out. */
function world(mode: 'shared' | 'replica', rsThresh: number) {
  const { driver: memory, device: deviceMemory, down, up } = connect(mode, 1 << 16);
  const ringOffset = memory.alloc(nicRingBytes(SIZE));
  const buffers = memory.alloc(256 * 64);
  const ring = { ringOffset, size: SIZE };
  const driver = new NicTxDriver({ ...ring, arena: memory, publisher: down, rsThresh, addressBias: BIAS });
  const device = new NicTxDevice({ ...ring, arena: deviceMemory, publisher: up, maxSegments: 4 });
  const burst = new NicTxBurst(8, 16);
  const out = new Uint32Array(8);
  const state = { tail: 0, packets: 0, cookie: 0, reclaimed: 0, completed: 0 };
  /** Posted, not flushed; flushed, not read; cookies after which the device has read, descriptors to complete. */
  const posted: Packet[] = [];
  const flushed: Packet[] = [];
  const read: { descriptors: number; segments: number }[] = [];

  const post = (segments: number, length: number, offload: boolean): void => {
    if (driver.free < segments + 1) return;
    const fields = offload ? [1, 4, 54, 1448, 34, state.packets & 0xffff] : [0, 0, 0, 0, 0, 0];
    if (offload) driver.postContext(1, 4, 54, 1448, 34, state.packets & 0xffff);
    const packet: Packet = { slot: -1, segments, bytes: [], offload: fields };
    for (let segment = 0; segment < segments; segment++) {
      const cookie = state.cookie++;
      const offset = buffers + (cookie % 256) * 64;
      for (let i = 0; i < length; i++) memory.u8[offset + i] = cookie + i * 7;
      packet.bytes.push(...memory.u8.subarray(offset, offset + length));
      const slot = driver.post(offset + BIAS, offset, length, cookie, segment === segments - 1);
      if (segment === 0) packet.slot = slot;
    }
    state.packets++;
    posted.push(packet);
  };

  const readBurst = (max: number): void => {
    const packets = device.readBurst(state.tail, max, burst);
    expect(packets).toBeGreaterThanOrEqual(0);
    expect(packets).toBeLessThanOrEqual(flushed.length);
    const { flags, gsoType, hdrLen, gsoSize, csumStart, csumOffset } = burst;
    for (let p = 0; p < packets; p++) {
      const bytes: number[] = [];
      const first = burst.firstSegment[p];
      for (let s = first; s < first + burst.segmentCount[p]; s++) {
        const offset = burst.address[s] - BIAS;
        bytes.push(...deviceMemory.u8.subarray(offset, offset + burst.segmentLength[s]));
      }
      const offload = [flags, gsoType, hdrLen, gsoSize, csumStart, csumOffset].map((field) => field[p]);
      const segments = burst.segmentCount[p];
      expect({ slot: burst.slot[p], segments, bytes, offload }).toEqual(flushed.shift());
      expect(burst.length[p]).toBe(bytes.length);
      read.push({ descriptors: burst.packetDescriptors[p], segments });
    }
  };

  const run = (kind: string, count: number, bytes = 1, offload = false): void => {
    if (kind === 'post') post(count, bytes, offload);
    else if (kind === 'read') readBurst(count);
    else if (kind === 'down') down.advance(count);
    else if (kind === 'up') up.advance(count);
    else if (kind === 'flush') {
      const tail = driver.flush();
      flushed.push(...posted.splice(0));
      down.send(() => {
        state.tail = tail;
      });
    } else if (kind === 'complete') {
      let descriptors = 0;
      for (const one of read.splice(0, count)) {
        descriptors += one.descriptors;
        state.completed += one.segments;
      }
      device.complete(descriptors);
    } else {
      const taken = driver.reclaim(out, 0, out.length);
      for (let i = 0; i < taken; i++) expect(out[i]).toBe(state.reclaimed++);
      expect(state.reclaimed).toBeLessThanOrEqual(state.completed);
    }
  };

  const drain = (): void => {
    run('flush', 1);
    for (let i = 0; i < SIZE; i++)
      for (const kind of ['down', 'read', 'complete', 'up', 'reclaim']) run(kind, 8);
    expect([posted, flushed, read, up.inFlight]).toEqual([[], [], [], 0]);
    expect(state.completed).toBe(state.cookie);
    expect(state.cookie - state.reclaimed).toBeLessThan(rsThresh === 1 ? 1 : rsThresh + 5);
  };
  return { run, drain, state };
}

describe('transmit ring, driver against device', () => {
  for (const mode of ['shared', 'replica'] as const) {
    it.each([1, 8, 16])(
      `delivers every packet once and in order (${mode} memory, rsThresh %i)`,
      (rsThresh) => {
        fc.assert(
          fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
            const { run, drain } = world(mode, rsThresh);
            for (const { kind, count, bytes, offload } of steps) run(kind, count, bytes, offload);
            drain();
          }),
          { numRuns: 60 },
        );
      },
    );
  }

  it('goes on for many laps without a stuck ring', () => {
    const { run, drain, state } = world('replica', 16);
    for (let i = 0; i < 1000; i++) {
      run('post', 1 + (i % 4), 1 + (i % 60), i % 3 === 0);
      for (const kind of ['flush', 'reclaim', 'down', 'read', 'complete', 'up', 'reclaim']) run(kind, 2);
    }
    drain();
    expect(state.packets).toBe(1000);
  });
});

describe('NicTxDriver', () => {
  it('posts packets of a pool with a context descriptor where offloads are asked for', () => {
    const { driver: arena, down } = connect('shared', 1 << 16);
    const ringOffset = arena.alloc(nicRingBytes(32));
    const pool = new PacketPool(arena, { buffers: 40, bufferBytes: 128 });
    const driver = new NicTxDriver({
      arena,
      publisher: down,
      ringOffset,
      size: 32,
      rsThresh: 8,
      addressBias: 0,
    });
    const indices = new Uint32Array(40);
    const slots = new Uint16Array(40);
    pool.allocBulk(indices, 0, 40);
    for (const index of indices) pool.length[index] = 60;
    pool.flags[indices[1]] = 1;
    pool.gsoType[indices[2]] = 1;
    expect(driver.postBurst(pool, indices, 0, 3, slots)).toBe(3);
    expect([...slots.subarray(0, 3)]).toEqual([0, 2, 4]);
    expect(driver.postBurst(pool, indices, 3, 37, slots)).toBe(26);
    expect(driver.free).toBe(0);
    expect(driver.flush()).toBe(31);
    expect(() => driver.post(0, 0, 1, 0, true)).toThrow('full');
    driver.reset();
    expect([driver.free, driver.used]).toEqual([31, 0]);
  });

  it('refuses impossible rings by name', () => {
    const { driver: arena, down } = connect('shared', 4096);
    const base = { arena, publisher: down, ringOffset: 64, size: 32, rsThresh: 8, addressBias: 0 };
    expect(() => new NicTxDriver({ ...base, size: 48 })).toThrow('a NIC ring of 48 descriptors');
    expect(() => new NicTxDriver({ ...base, size: 16384 })).toThrow('a NIC ring of 16384');
    expect(() => new NicTxDriver({ ...base, ringOffset: 72 })).toThrow('offset 72');
    expect(() => new NicTxDriver({ ...base, size: 256 })).toThrow('outside the arena');
    expect(() => new NicTxDriver({ ...base, rsThresh: 17 })).toThrow('rsThresh 17');
  });
});
