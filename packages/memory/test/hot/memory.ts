import {
  ACCESS_READ,
  ACCESS_WRITE,
  AddressSpace,
  AddressWindow,
  copyAligned,
  copyFrames,
  createArena,
  DirtyLog,
  Iotlb,
  PacketPool,
  PERMISSION_RW,
  Tlb,
} from '../../src/index.ts';
import type { HotCases } from '../../test-kit/no-allocation.ts';

const MiB = 1 << 20;

function guestSpace(): AddressSpace {
  const space = new AddressSpace(createArena(64 * MiB));
  for (let i = 0; i < 32; i++) space.map(i * MiB, MiB, (31 - i) * MiB, PERMISSION_RW);
  return space;
}

export const hotCases: HotCases = {
  'AddressSpace.translate': () => {
    const space = guestSpace();
    return (call) => space.translate((call * 4096) % (32 * MiB - 4096), 1500, ACCESS_READ);
  },
  'AddressSpace.translateSplit': () => {
    const space = guestSpace();
    const offsets = new Uint32Array(8);
    const lengths = new Uint32Array(8);
    return (call) =>
      space.translateSplit(((call % 31) + 1) * MiB - 100, 1500, ACCESS_WRITE, offsets, lengths, 0);
  },
  'AddressSpace, refused': () => {
    const space = guestSpace();
    return (call) => space.translate(40 * MiB + call, 1500, ACCESS_READ);
  },
  'AddressSpace.windowAt': () => {
    const space = guestSpace();
    const window = new AddressWindow();
    return (call) => space.windowAt(0, (call % 40) * MiB, ACCESS_READ, window);
  },
  'copies of a burst of 32': () => {
    const arena = createArena(MiB);
    const from = Uint32Array.from({ length: 32 }, (_, i) => 2048 * i);
    const to = Uint32Array.from({ length: 32 }, (_, i) => MiB / 2 + 2048 * i);
    const length = Uint32Array.from({ length: 32 }, (_, i) => 50 * i);
    return () => {
      copyAligned(arena, to, from, length, 32);
      copyFrames(arena, to, from, length, 32);
    };
  },
  'DirtyLog.mark': () => {
    const log = new DirtyLog(createArena(MiB), 64, 65536);
    return (call) => log.mark((call * 1500) % MiB, 1500);
  },
  'Iotlb.resolve': () => {
    const space = guestSpace();
    const cache = new Iotlb({ entries: 64, pageBytes: 4096 });
    return (call) => cache.resolve(space, (call * 2048) % (16 * MiB), 1500, ACCESS_WRITE);
  },
  'Tlb.touchRange': () => {
    const tlb = new Tlb({ pageBytes: 4096, l1Entries: 64, l1Ways: 4, l2Entries: 1536, l2Ways: 12 });
    return (call) => tlb.touchRange((call * 2048) % (16 * MiB), 1500);
  },
  'PacketPool, burst of 32': () => {
    const pool = new PacketPool(createArena(MiB), { buffers: 256, bufferBytes: 2048, order: 'ring' });
    const burst = new Uint32Array(32);
    return () => {
      pool.allocBulk(burst, 0, 32);
      for (let i = 0; i < 32; i++) pool.length[burst[i]] = 60;
      pool.freeBulk(burst, 0, 32);
    };
  },
};
