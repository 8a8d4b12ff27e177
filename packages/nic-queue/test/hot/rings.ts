import { createArena, PacketPool } from '@vhostlab/memory';
import type { HotCases } from '@vhostlab/memory/test-kit';
import {
  NIC_RX_LAST,
  NicRxBurst,
  NicRxDevice,
  NicRxDriver,
  NicTxBurst,
  NicTxDevice,
  NicTxDriver,
  nicRingBytes,
} from '../../src/index.ts';

const BURST = 32;

function setUp() {
  const arena = createArena(4 << 20);
  const publisher = {
    cover: () => {},
    u16: (offset: number, value: number) => {
      arena.u16[offset >>> 1] = value;
    },
    u32: (offset: number, value: number) => {
      arena.u32[offset >>> 2] = value;
    },
  };
  const pool = new PacketPool(arena, { buffers: 1024, bufferBytes: 2048, order: 'ring' });
  return { pool, ring: { arena, publisher, ringOffset: arena.alloc(nicRingBytes(512)), size: 512 } };
}

/** One burst of 32 packets per call, over both ends of the ring. */
export const hotCases: HotCases = {
  transmit: () => {
    const { pool, ring } = setUp();
    const driver = new NicTxDriver({ ...ring, rsThresh: 32, addressBias: 0 });
    const device = new NicTxDevice({ ...ring, maxSegments: 4 });
    const burst = new NicTxBurst(BURST, BURST * 2);
    const indices = new Uint32Array(BURST);
    const slots = new Uint16Array(BURST);
    return (call) => {
      pool.freeBulk(indices, 0, driver.reclaim(indices, 0, BURST));
      pool.allocBulk(indices, 0, BURST);
      for (let i = 0; i < BURST; i++) pool.length[indices[i]] = 60;
      pool.flags[indices[0]] = call & 1;
      driver.postBurst(pool, indices, 0, BURST, slots);
      device.readBurst(driver.flush(), BURST, burst);
      device.complete(burst.descriptors);
    };
  },
  receive: () => {
    const { pool, ring } = setUp();
    const driver = new NicRxDriver({ ...ring, addressBias: 0 });
    const device = new NicRxDevice(ring);
    const burst = new NicRxBurst(BURST);
    return (call) => {
      driver.refillFrom(pool, BURST);
      device.fetch(driver.flush(), BURST);
      while (device.take() >= 0) device.writeBack(60, NIC_RX_LAST, call, 0, 1);
      device.flush();
      pool.freeBulk(burst.cookie, 0, driver.poll(burst, BURST));
    };
  },
};
