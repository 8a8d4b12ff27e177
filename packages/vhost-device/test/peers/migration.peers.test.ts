import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  Cleanup,
  differingPages,
  fileAddress,
  guestMemory,
  type LinuxGuest,
  limitMigration,
  migrateTo,
  Network,
  type PeerProcess,
  type QemuLinuxOptions,
  qemuLinux,
  vhostlabBackend,
} from '../../../../tools/peers/index.ts';
import { GUEST, HOST, loadOf, PIECE_FILE, transferToGuest, transferToHost } from './support/transfer.ts';

const NO_BUFFER_LOG = fileURLToPath(new URL('./support/no-buffer-log.ts', import.meta.url));
/** Slow enough that the guest's memory, 100 MB of which is in use, takes a second or two. */
const BYTES_PER_S = 60_000_000;

/** Two places for one guest, each with a back end and a tap of its own on one bridge. */
class Places {
  readonly cleanup = new Cleanup();
  network!: Network;
  readonly backends: PeerProcess[] = [];
  readonly load = loadOf(10_000_000);

  async start(preload?: string): Promise<void> {
    this.network = await this.cleanup.add(
      Network.create(
        'link add bridge0 type bridge',
        `addr add ${HOST}/24 dev bridge0`,
        'link set bridge0 up',
        ...['a', 'b'].flatMap((place) => [
          `tuntap add dev tap-${place} mode tap vnet_hdr`,
          `link set tap-${place} master bridge0`,
          `link set tap-${place} up`,
        ]),
      ),
    );
    for (const place of ['a', 'b']) {
      const options = {
        socketPath: this.cleanup.path(place),
        port: `tap:tap-${place}`,
        network: this.network,
      };
      this.backends.push(
        await this.cleanup.add(
          vhostlabBackend({
            ...options,
            extra: ['--messages'],
            ...(preload === undefined ? {} : { preload }),
          }),
        ),
      );
    }
  }

  guest(place: 'a' | 'b', packed: string, more: Partial<QemuLinuxOptions> = {}): Promise<LinuxGuest> {
    return this.cleanup.add(
      qemuLinux({
        netdevs: [{ socketPath: this.cleanup.path(place), device: { packed } }],
        setUp: `ip addr add ${GUEST}/24 dev eth0; ip link set eth0 up`,
        files: { [PIECE_FILE]: this.load.piece },
        ...more,
      }),
    );
  }

  /** Pings in both directions, from now on and for a while: the guest's go to /tmp/pings. */
  async ping(guest: LinuxGuest): Promise<{ readonly ofHost: Promise<string> }> {
    await guest.must(`ping -c 2 -W 5 ${HOST}`);
    await guest.must(`ping -i 0.05 -c 200 ${HOST} >/tmp/pings 2>&1 &`);
    const ofHost = this.network.ping(GUEST, 100);
    ofHost.catch(() => {});
    return { ofHost };
  }
}

let places: Places;
beforeEach(() => {
  places = new Places();
});
afterEach(() => places.cleanup.stop());

/** The guest pings and is pinged, and moves bytes both ways without a fault. */
async function expectNetwork(guest: LinuxGuest): Promise<void> {
  expect(await guest.must(`ping -c 3 -i 0.2 -W 5 ${HOST}`)).toContain(' 0% packet loss');
  expect(await places.network.ping(GUEST, 3)).toContain(' 0% packet loss');
  await transferToHost(guest, places.network, places.load);
  await transferToGuest(guest, places.network, places.load);
}

/** How many of the pings that a program has reported were answered. */
function answered(output: string): number {
  return Number(/(\d+) packets received/.exec(output)?.[1]);
}

describe('a Linux guest that pings', () => {
  it('is saved to a file, and restored at the same back end', async () => {
    await places.start();
    const first = await places.guest('a', 'off');
    await places.ping(first);
    await limitMigration(first.qemu, BYTES_PER_S);
    const { save, restore } = fileAddress(places.cleanup.path('saved'));
    await migrateTo(first.qemu, save);
    await first.stop();
    const second = await places.guest('a', 'off', { incoming: restore });
    await second.ready();
    await expectNetwork(second);
    // The guest never noticed: the pings that it had begun end as if nothing had been.
    await second.must('killall -INT ping; sleep 0.2');
    expect(answered(await second.must('cat /tmp/pings'))).toBeGreaterThan(2);
    expect(places.backends[0]!.output()).toMatch(/SET_LOG_BASE/);
    expect(places.backends[0]!.output()).not.toMatch(/refused|broken/);
  });

  it.each(['off', 'on'])('moves from one QEMU to another with every page, packed=%s', async (packed) => {
    await places.start();
    const source = await places.guest('a', packed);
    const incoming = `unix:${places.cleanup.path('migration')}`;
    const target = await places.guest('b', packed, { incoming, paused: true });
    const pings = await places.ping(source);
    await limitMigration(source.qemu, BYTES_PER_S);
    await migrateTo(source.qemu, incoming);
    await target.ready();
    expect(differingPages(guestMemory(source.pid), guestMemory(target.pid))).toEqual([]);
    await source.stop();
    await target.resume();
    await expectNetwork(target);
    expect(answered(await pings.ofHost)).toBeGreaterThan(10);
    for (const backend of places.backends) expect(backend.output()).not.toMatch(/refused|broken/);
  });

  it('arrives with wrong pages when the back end does not log what it writes into buffers', async () => {
    await places.start(NO_BUFFER_LOG);
    const source = await places.guest('a', 'off');
    const incoming = `unix:${places.cleanup.path('migration')}`;
    const target = await places.guest('b', 'off', { incoming, paused: true });
    await places.ping(source);
    await limitMigration(source.qemu, BYTES_PER_S);
    await migrateTo(source.qemu, incoming);
    await target.ready();
    expect(differingPages(guestMemory(source.pid), guestMemory(target.pid)).length).toBeGreaterThan(0);
  });
});
