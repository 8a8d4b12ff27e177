import { describeLayout } from '@vhostlab/layout';
import { createArena } from '@vhostlab/memory';
import { describe, expect, it } from 'vitest';
import {
  NIC_DONE,
  NIC_RX_DESC,
  NIC_RX_LAST,
  NIC_RX_WRITE_BACK,
  NIC_TX_CONTEXT,
  NIC_TX_DESC,
  NicRxDevice,
  NicRxDriver,
  NicTxDriver,
} from '../src/index.ts';

const publisher = (arena: ReturnType<typeof createArena>) => ({
  cover: () => {},
  u16: (offset: number, value: number) => {
    arena.u16[offset >>> 1] = value;
  },
  u32: (offset: number, value: number) => {
    arena.u32[offset >>> 2] = value;
  },
});
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('descriptor layouts', () => {
  it('are 16 bytes each, as printed', () => {
    expect([NIC_TX_DESC, NIC_TX_CONTEXT, NIC_RX_DESC, NIC_RX_WRITE_BACK].map(describeLayout).join('')).toBe(
      `nic_tx_desc 16
  +0   u64   8 addr
  +8   u32   4 length
  +12  u16   2 command
  +14  u16   2 status
nic_tx_context 16
  +0   u16   2 csumStart
  +2   u16   2 csumOffset
  +4   u16   2 hdrLen
  +6   u16   2 gsoSize
  +8   u8    1 gsoType
  +9   u8    1 flags
  +10  pad   2 unused
  +12  u16   2 command
  +14  u16   2 status
nic_rx_desc 16
  +0   u64   8 addr
  +8   u32   4 reserved
  +12  pad   2 unused
  +14  u16   2 status
nic_rx_write_back 16
  +0   u32   4 hash
  +4   u32   4 length
  +8   u32   4 mark
  +12  u16   2 port
  +14  u16   2 status
`,
    );
  });

  it('land in memory byte for byte', () => {
    const arena = createArena(8192);
    const ring = { arena, publisher: publisher(arena), ringOffset: 64, size: 32 };
    const tx = new NicTxDriver({ ...ring, rsThresh: 1, addressBias: 0 });
    tx.postContext(1, 4, 0x36, 0x5a8, 0x22, 0x10);
    tx.post(0x12_3456_789a, 64, 0x5ea, 0, false);
    tx.post(0x1000, 64, 60, 0, true);
    expect(hex(arena.u8.subarray(64, 112))).toBe(
      '220010003600a8050401000004000000' +
        '9a78563412000000ea05000000000000' +
        '00100000000000003c00000003000000',
    );
    const rxRing = { ...ring, ringOffset: 1024 };
    const rx = new NicRxDriver({ ...rxRing, addressBias: 0 });
    rx.refill(0x12_3456_789a, 0);
    expect(hex(arena.u8.subarray(1024, 1040))).toBe('9a785634120000000000000000000000');
    const device = new NicRxDevice(rxRing);
    device.fetch(rx.flush(), 1);
    expect(device.address[device.take()]).toBe(0x12_3456_789a);
    device.writeBack(60, NIC_RX_LAST, 0xdeadbeef, 7, 0x102);
    device.flush();
    expect(hex(arena.u8.subarray(1024, 1040))).toBe('efbeadde3c000000070000000201' + '0300');
    expect(NIC_DONE | NIC_RX_LAST).toBe(3);
  });
});
