import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cleanup, storageDaemon, waitUntil } from '../../../../tools/peers/index.ts';
import { startFrontend } from '../../src/index.ts';

const NEXT = 1;
const WRITE = 2;
const SECTOR_BYTES = 512;
/** struct virtio_blk_req: type 0 (read), reserved, sector; behind the data comes one byte of status (virtio 1.3, 5.2.6). */
const HEADER_BYTES = 16;
const STATUS_OK = 0;

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

describe('qemu-storage-daemon, a back end of libvhost-user', () => {
  it('does what a ring says that a test wrote, and says where it stopped', async () => {
    const socketPath = cleanup.path('s');
    await cleanup.add(storageDaemon({ socketPath, queues: 2 }));
    // a block device: two rings stand for the guest's only pair
    const frontend = await startFrontend({
      socketPath,
      memoryBytes: 2 ** 22,
      queueSize: 64,
      features: { inOrder: false, mrgRxbuf: false },
      workload: { kind: 'raw' },
    });
    const ring = frontend.rawRing(0);
    const { u8 } = frontend.memory.arena;
    const header = ring.buffer(HEADER_BYTES);
    const data = ring.buffer(SECTOR_BYTES);
    const status = ring.buffer(1);
    for (let request = 0; request < 3; request++) {
      u8.fill(0xaa, data.offset, data.offset + SECTOR_BYTES);
      u8[status.offset] = 0xff;
      ring.descriptor(0, { address: header.gpa, length: HEADER_BYTES, flags: NEXT, next: 1 });
      ring.descriptor(1, { address: data.gpa, length: SECTOR_BYTES, flags: NEXT | WRITE, next: 2 });
      ring.descriptor(2, { address: status.gpa, length: 1, flags: WRITE });
      ring.available(request, 0);
      ring.availableIndex(request + 1);
      ring.kick();
      await waitUntil(() => ring.usedIndex === request + 1, `request ${request} is done`);
      expect(ring.used(request)).toEqual({ id: 0, length: SECTOR_BYTES + 1 });
      expect(u8[status.offset]).toBe(STATUS_OK);
      expect(u8.slice(data.offset, data.offset + SECTOR_BYTES).every((byte) => byte === 0)).toBe(true);
    }
    const { stoppedAt } = await frontend.stop();
    expect(stoppedAt).toEqual([3, 0]);
  });
});
