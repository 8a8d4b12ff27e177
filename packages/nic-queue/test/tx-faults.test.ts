import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  NIC_FAULT_CONTEXT,
  NIC_FAULT_EMPTY,
  NIC_FAULT_TAIL,
  NIC_FAULT_TOO_LONG,
  NIC_TX_DESC,
  NIC_TX_LAST,
  NicRxDevice,
  NicTxBurst,
  NicTxDevice,
  NicTxDriver,
  nicFaultName,
  nicRingBytes,
} from '../src/index.ts';
import { connect } from './delayed-memory.ts';

function setUp() {
  const { driver: arena, down, up } = connect('shared', 1 << 16);
  const ringOffset = arena.alloc(nicRingBytes(32));
  const ring = { arena, ringOffset, size: 32 };
  const driver = new NicTxDriver({ ...ring, publisher: down, rsThresh: 4, addressBias: 0 });
  const device = new NicTxDevice({ ...ring, publisher: up, maxSegments: 4 });
  return { arena, ringOffset, driver, device, burst: new NicTxBurst(8, 32) };
}

describe('what a driver can do wrong stops the queue with a reason', () => {
  it('tail outside the ring', () => {
    for (const tail of [32, -1, 2 ** 32 - 1, Number.NaN]) {
      const { device, burst } = setUp();
      expect(device.pending(tail)).toBe(0);
      expect(device.readBurst(tail, 8, burst)).toBe(NIC_FAULT_TAIL);
      expect(device.fault).toBe(NIC_FAULT_TAIL);
    }
    const { arena, ringOffset } = setUp();
    const { up } = connect('shared', 4096);
    const rx = new NicRxDevice({ arena, publisher: up, ringOffset, size: 32 });
    expect([rx.fetch(99, 8), rx.fetch(1, 8), rx.fault]).toEqual([
      NIC_FAULT_TAIL,
      NIC_FAULT_TAIL,
      NIC_FAULT_TAIL,
    ]);
    rx.reset();
    expect(rx.fetch(1, 8)).toBe(1);
  });

  it('too many segments, after the good packets in front of it', () => {
    const { driver, device, burst } = setUp();
    driver.post(64, 64, 10, 0, true);
    for (let i = 0; i < 5; i++) driver.post(64, 64, 10, 0, i === 4);
    const tail = driver.flush();
    expect(device.readBurst(tail, 8, burst)).toBe(1);
    expect(device.readBurst(tail, 8, burst)).toBe(NIC_FAULT_TOO_LONG);
    expect(device.readBurst(tail, 8, burst)).toBe(NIC_FAULT_TOO_LONG);
    device.reset();
    expect([device.fault, device.outstanding]).toEqual([0, 0]);
  });

  it('a segment without bytes', () => {
    const { driver, device, burst } = setUp();
    driver.post(64, 64, 0, 0, true);
    expect(device.readBurst(driver.flush(), 8, burst)).toBe(NIC_FAULT_EMPTY);
  });

  it('a context in the middle of a packet', () => {
    const { driver, device, burst } = setUp();
    driver.post(64, 64, 10, 0, false);
    driver.postContext(0, 0, 0, 0, 0, 0);
    driver.post(64, 64, 10, 0, true);
    expect(device.readBurst(driver.flush(), 8, burst)).toBe(NIC_FAULT_CONTEXT);
  });

  it('waits for the rest of a packet, and gives up when the ring is full without an end', () => {
    const { arena, ringOffset, driver, device, burst } = setUp();
    driver.post(64, 64, 10, 0, false);
    expect(device.readBurst(driver.flush(), 8, burst)).toBe(0);
    driver.post(64, 64, 10, 0, true);
    expect(device.readBurst(driver.flush(), 8, burst)).toBe(1);
    expect(burst.segmentCount[0]).toBe(2);
    expect(() => device.complete(3)).toThrow('3 descriptors completed, 2 outstanding');
    device.reset();
    for (let i = 0; i < 32; i++) arena.u32[(ringOffset + i * 16 + NIC_TX_DESC.length) >>> 2] = 10;
    arena.u16.fill(
      0,
      (ringOffset + 16 + NIC_TX_DESC.command) >>> 1,
      (ringOffset + 16 + NIC_TX_DESC.status) >>> 1,
    );
    expect(device.readBurst(31, 8, burst)).toBe(NIC_FAULT_TOO_LONG);
  });

  it('has a name for every reason', () => {
    const names = [NIC_FAULT_TAIL, NIC_FAULT_TOO_LONG, NIC_FAULT_EMPTY, NIC_FAULT_CONTEXT].map(nicFaultName);
    expect(new Set(names).size).toBe(4);
    expect(() => nicFaultName(-9)).toThrow('-9 is no NIC ring fault');
  });

  it('never throws and never reads beyond the tail, whatever bytes the ring holds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(3), fc.constantFrom(0, NIC_TX_LAST, 2, 3, 4, 5, 0xffff)), {
          minLength: 32,
          maxLength: 32,
        }),
        fc.array(fc.nat(40), { maxLength: 20 }),
        (descriptors, tails) => {
          const { arena, ringOffset, device, burst } = setUp();
          descriptors.forEach(([length, command], i) => {
            arena.u32[(ringOffset + i * 16 + NIC_TX_DESC.length) >>> 2] = length;
            arena.u16[(ringOffset + i * 16 + NIC_TX_DESC.command) >>> 1] = command;
          });
          for (const tail of tails) {
            const pending = device.pending(tail);
            const packets = device.readBurst(tail, 8, burst);
            if (packets < 0) expect(nicFaultName(packets)).not.toBe('none');
            else expect(burst.descriptors).toBeLessThanOrEqual(pending);
            device.complete(device.outstanding);
          }
        },
      ),
    );
  });
});
