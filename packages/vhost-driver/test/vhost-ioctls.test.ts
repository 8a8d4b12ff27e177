import { describe, expect, it } from 'vitest';
import { VHOST } from '../src/kernel/vhost-ioctls.ts';
import { memoryTable, ringAddresses } from '../src/kernel/vhost-net-device.ts';

describe('the requests of /dev/vhost-net', () => {
  it('have the numbers that a C compiler finds in linux/vhost.h of Linux 7.1.8 for x86-64', () => {
    const numbers = Object.fromEntries(Object.entries(VHOST).map(([name, { request }]) => [name, request]));
    expect(numbers).toEqual({
      GET_FEATURES: 0x8008af00,
      SET_FEATURES: 0x4008af00,
      SET_OWNER: 0xaf01,
      SET_MEM_TABLE: 0x4008af03,
      SET_VRING_NUM: 0x4008af10,
      SET_VRING_ADDR: 0x4028af11,
      SET_VRING_BASE: 0x4008af12,
      GET_VRING_BASE: 0xc008af12,
      SET_VRING_KICK: 0x4008af20,
      SET_VRING_CALL: 0x4008af21,
      SET_VRING_ERR: 0x4008af22,
      NET_SET_BACKEND: 0x4008af30,
    });
  });

  it('carry a memory table of a count and regions of 32 bytes', () => {
    const words = new BigUint64Array(
      memoryTable([
        { gpa: 0, bytes: 0x1000, userAddress: 0x7f00_0000_1000 },
        { gpa: 2 ** 32, bytes: 0x2000, userAddress: 0x7f00_0000_2000 },
      ]).buffer,
    );
    expect([...words]).toEqual([
      2n,
      ...[0n, 0x1000n, 0x7f00_0000_1000n, 0n],
      ...[2n ** 32n, 0x2000n, 0x7f00_0000_2000n, 0n],
    ]);
  });

  it('carry addresses of a ring in the order descriptors, used, available', () => {
    const none = { number: -1 };
    const ring = { index: 1, size: 64, base: 0, desc: 0x1000, avail: 0x2000, used: 0x3000 } as const;
    const bytes = ringAddresses({ ...ring, kick: none, call: none, err: none });
    expect([...new BigUint64Array(bytes.buffer)]).toEqual([1n, 0x1000n, 0x3000n, 0x2000n, 0n]);
  });
});
