import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  Cleanup,
  finalStatistics,
  Network,
  qemuLinux,
  vhostlabBackend,
} from '../../../../tools/peers/index.ts';
import { GUEST, HOST, loadOf, PIECE_FILE, transferToGuest, transferToHost } from './support/transfer.ts';

const BYTES = 100_000_000;
/** Positions of the bits in the guest's own view of what its driver negotiated. */
const OFFLOADS = { CSUM: 0, GUEST_CSUM: 1, GUEST_TSO4: 7, HOST_TSO4: 11 };
const RING_PACKED = 34;

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

it.each([
  { packed: 'off', mode: 'interrupt' },
  { packed: 'on', mode: 'adaptive' },
] as const)(
  'a Linux guest pings, and transfers 100 MB both ways with checksum and segmentation offload: %o',
  async ({ packed, mode }) => {
    const socketPath = cleanup.path('s');
    const network = await cleanup.add(
      Network.create(
        'tuntap add dev tap0 mode tap vnet_hdr',
        `addr add ${HOST}/24 dev tap0`,
        'link set tap0 up',
      ),
    );
    const backend = await cleanup.add(
      vhostlabBackend({ socketPath, port: 'tap:tap0', mode, network, extra: ['--json'] }),
    );
    const load = loadOf(BYTES);
    const guest = await cleanup.add(
      qemuLinux({
        netdevs: [{ socketPath, device: { packed } }],
        setUp: `ip addr add ${GUEST}/24 dev eth0; ip link set eth0 up`,
        files: { [PIECE_FILE]: load.piece },
        memoryMiB: 256,
      }),
    );
    const negotiated = (await guest.must('cat /sys/bus/virtio/devices/virtio0/features')).trim();
    for (const bit of Object.values(OFFLOADS)) expect(negotiated[bit]).toBe('1');
    expect(negotiated[RING_PACKED]).toBe(packed === 'on' ? '1' : '0');

    expect(await guest.must(`ping -c 3 -i 0.2 -W 5 ${HOST}`)).toContain(' 0% packet loss');
    expect(await network.ping(GUEST, 3)).toContain(' 0% packet loss');
    await transferToHost(guest, network, load);
    await transferToGuest(guest, network, load);

    await guest.stop();
    backend.signal('SIGTERM');
    await backend.exit;
    for (const { frames, bytes, violations } of finalStatistics(backend)) {
      expect(violations).toBe(0);
      expect(bytes).toBeGreaterThan(BYTES);
      // Acknowledgements in between included: most frames were longer than the MTU, left whole by who sent them.
      expect(bytes / frames).toBeGreaterThan(1514);
    }
  },
);
