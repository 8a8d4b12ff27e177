import { PacketPool } from '@vhostlab/memory';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NIC_DONE, NIC_RX_LAST, NicRxBurst, NicRxDevice, NicRxDriver, nicRingBytes } from '../src/index.ts';
import { connect } from './delayed-memory.ts';

const SIZE = 32;
const BIAS = 2 ** 40;

const step = fc.record({
  kind: fc.constantFrom('refill', 'fetch', 'packet', 'packet', 'writeBack', 'flush', 'poll', 'down', 'up'),
  count: fc.integer({ min: 1, max: 12 }),
});

function world(mode: 'shared' | 'replica') {
  const { driver: memory, device: deviceMemory, down, up } = connect(mode, 1 << 16);
  const ringOffset = memory.alloc(nicRingBytes(SIZE));
  const pool = new PacketPool(memory, { buffers: 40, bufferBytes: 64, order: 'ring' });
  const ring = { ringOffset, size: SIZE };
  const driver = new NicRxDriver({ ...ring, arena: memory, publisher: down, addressBias: BIAS });
  const device = new NicRxDevice({ ...ring, arena: deviceMemory, publisher: up });
  const burst = new NicRxBurst(16);
  const state = { tail: 0, serial: 0 };
  /** Taken and filled, not written back; written back, not flushed; flushed, not polled. */
  const filled: { slot: number; serial: number }[] = [];
  const written: typeof filled = [];
  const flushed: typeof filled = [];

  const fill = (slot: number, serial: number): void => {
    const offset = device.address[slot] - BIAS;
    for (let i = 0; i < 1 + (serial % 60); i++) deviceMemory.u8[offset + i] = serial + i;
    up.cover(offset, 1 + (serial % 60));
  };

  const run = (kind: string, count: number): void => {
    if (kind === 'refill') {
      const room = driver.room;
      const available = pool.available;
      expect(driver.refillFrom(pool, count)).toBe(Math.min(count, room, available));
      const tail = driver.flush();
      down.send(() => {
        state.tail = tail;
      });
    } else if (kind === 'fetch') {
      const pending = device.pending(state.tail);
      expect(device.fetch(state.tail, count)).toBe(Math.min(pending, count));
    } else if (kind === 'packet') {
      for (let i = 0; i < count; i++) {
        const slot = device.take();
        if (slot < 0) break;
        filled.push({ slot, serial: state.serial++ });
      }
    } else if (kind === 'writeBack') {
      for (const one of filled.splice(0, count)) {
        fill(one.slot, one.serial);
        const { serial } = one;
        expect(device.writeBack(1 + (serial % 60), NIC_RX_LAST, serial * 3, serial * 5, serial & 0xff)).toBe(
          one.slot,
        );
        written.push(one);
      }
    } else if (kind === 'flush') {
      expect(device.flush()).toBe(written.length);
      flushed.push(...written.splice(0));
    } else if (kind === 'poll') {
      const taken = driver.poll(burst, count);
      expect(taken).toBeLessThanOrEqual(flushed.length);
      for (let i = 0; i < taken; i++) {
        const { slot, serial } = flushed.shift() as { slot: number; serial: number };
        expect([burst.slot[i], burst.hash[i], burst.mark[i], burst.port[i], burst.status[i]]).toEqual([
          slot,
          serial * 3,
          serial * 5,
          serial & 0xff,
          NIC_DONE | NIC_RX_LAST,
        ]);
        const offset = pool.offset[burst.cookie[i]];
        const bytes = [...memory.u8.subarray(offset, offset + burst.length[i])];
        expect(bytes).toEqual(Array.from({ length: 1 + (serial % 60) }, (_, k) => (serial + k) & 0xff));
        pool.free(burst.cookie[i]);
      }
    } else if (kind === 'down') down.advance(count);
    else up.advance(count);
    expect(driver.posted).toBe(pool.inUse);
  };

  const drain = (): void => {
    for (let i = 0; i < 4; i++) {
      for (const kind of ['down', 'fetch', 'packet', 'writeBack', 'flush', 'up', 'poll', 'poll', 'poll'])
        run(kind, 99);
    }
    expect([filled, written, flushed]).toEqual([[], [], []]);
    expect([driver.posted, pool.inUse, up.inFlight]).toEqual([0, 0, 0]);
  };
  return { run, drain, state, driver, device };
}

describe('receive ring, driver against device', () => {
  it.each(['shared', 'replica'] as const)(
    'hands over every buffer once, in order, with its bytes (%s memory)',
    (mode) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
          const { run, drain } = world(mode);
          for (const { kind, count } of steps) run(kind, count);
          drain();
        }),
        { numRuns: 100 },
      );
    },
  );

  it('goes on for many laps', () => {
    const { run, drain, state } = world('replica');
    for (let i = 0; i < 600; i++) {
      for (const kind of ['refill', 'poll', 'down', 'fetch', 'packet', 'writeBack', 'flush', 'up', 'poll'])
        run(kind, 1 + (i % 7));
    }
    drain();
    expect(state.serial).toBeGreaterThan(40 * SIZE);
  });

  it('never has more buffers posted than the ring holds, and says so when asked to', () => {
    const { run, driver, device } = world('shared');
    run('refill', 99);
    expect([driver.room, driver.posted]).toEqual([0, SIZE - 1]);
    expect(() => driver.refill(0, 0)).toThrow('full');
    expect(device.take()).toBe(-1);
    expect(() => device.writeBack(1, 0, 0, 0, 0)).toThrow('without a taken descriptor');
    driver.reset();
    expect(driver.room).toBe(SIZE - 1);
  });
});
