import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  Cleanup,
  endTap,
  Network,
  qemuLinux,
  vhostlabBackend,
  vhostlabTap,
} from '../../../../tools/peers/index.ts';

const HOST = '10.0.0.1';
const GUEST = '10.0.0.2';
const PORT = 5000;
const TRANSFER_MS = 90_000;

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

it.each(['off', 'on'])('nothing is said about a Linux guest and our back end, packed %s', async (packed) => {
  const [listen, connect, out] = ['tap', 'back', 'out'].map((name) => cleanup.path(name));
  const network = await cleanup.add(
    Network.create(
      'tuntap add dev tap0 mode tap vnet_hdr',
      `addr add ${HOST}/24 dev tap0`,
      'link set tap0 up',
    ),
  );
  await cleanup.add(vhostlabBackend({ socketPath: connect, port: 'tap:tap0', network }));
  const tap = await cleanup.add(vhostlabTap({ listen, connect, out, notifications: true }));
  const data = randomBytes(20_000_000);
  const guest = await cleanup.add(
    qemuLinux({
      netdevs: [{ socketPath: listen, device: { packed } }],
      setUp: `ip addr add ${GUEST}/24 dev eth0; ip link set eth0 up`,
      files: { data },
    }),
  );
  expect(await guest.must(`ping -c 3 -i 0.2 -W 5 ${HOST}`)).toContain(' 0% packet loss');
  const sha256 = createHash('sha256').update(data).digest('hex');
  const taken = network.receive(PORT);
  taken.catch(() => {});
  await guest.must(`until nc ${HOST} ${PORT} -e cat /data; do sleep 0.1; done`, TRANSFER_MS);
  expect(await taken).toEqual({ sha256, bytes: data.length });
  await guest.stop();
  const { summary, log } = await endTap(tap, out);

  expect(summary.violations).toEqual([]);
  expect(log).not.toContain('VIOLATION');
  expect(Math.min(summary.kicks, summary.calls)).toBeGreaterThan(0);
  for (const line of [
    /^\d+\.\d{3} SET_FEATURES .*CSUM/m,
    /^\d+\.\d{3} SET_STATUS .*DRIVER_OK/m,
    /^\d+\.\d{3} SET_VRING_KICK .*fds=1/m,
    /^\d+\.\d{3} KICK vq1 avail=\d\S* used=\d\S* driver=\S+ device=\S+$/m,
    /^\d+\.\d{3} CALL vq0 avail=\d\S* used=\d\S* driver=\S+ device=\S+$/m,
  ]) {
    expect(log).toMatch(line);
  }
  const [receive, transmit] = summary.rings;
  for (const ring of [receive!, transmit!]) {
    expect(ring.availSteps).toBeGreaterThan(100);
    // a guest at this rate lets itself be looked at
    expect(ring.chains).toBeGreaterThan(100);
  }
});
