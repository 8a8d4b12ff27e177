import { closeAll, eventFd, type Fd, memfd, Reactor, UnixSocket } from '@vhostlab/host';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { Cleanup, netVhost, storageDaemon } from '../../../tools/peers/index.ts';
import {
  BACKEND_PROTOCOL_FEATURES,
  encodeMessage,
  F_PROTOCOL_FEATURES,
  FrontendSession,
  HostSocket,
  protocolFeatureNames,
  u64Payload,
} from '../src/index.ts';
import { region, ringAddr } from './back-end-rig.ts';

const reactor = new Reactor();
const owned: Fd[] = [];
let cleanup: Cleanup;
let session: FrontendSession;

beforeEach(() => {
  cleanup = new Cleanup();
});

afterEach(async () => {
  session.close('test is over');
  await session.finished;
  closeAll(owned.splice(0));
  await cleanup.stop();
});

afterAll(() => reactor.stop());

const own = (fd: Fd): Fd => {
  owned.push(fd);
  return fd;
};

function connect(path: string): void {
  session = new FrontendSession(new HostSocket(UnixSocket.connect(path), reactor), {
    features: 0x1_3000_8000n,
    makeChannel: () => {
      const [near, far] = UnixSocket.pair();
      return { near: new HostSocket(near, reactor), far: far.fd };
    },
  });
}

/** Handshake, memory, one ring and its end: what every back end must carry out. Each message is acknowledged. */
async function wholeLife(): Promise<void> {
  const { features } = await session.negotiate();
  expect(features & F_PROTOCOL_FEATURES).toBe(F_PROTOCOL_FEATURES);
  await session.setFeatures(features);
  const bytes = 1 << 20;
  await session.setMemory([{ fd: own(memfd('front end peers', bytes)), region: region(0, bytes) }]);
  const { desc, used, avail } = ringAddr(0);
  const fds = { kick: own(eventFd()), call: own(eventFd()), err: own(eventFd()) };
  await session.setUpRing({ index: 0, size: 256, base: 0, desc, used, avail, usedLogAddress: null, ...fds });
  await session.setEnabled(0, true);
  expect(await session.stopRing(0)).toBe(0);
}

test('libvhost-user of qemu-storage-daemon: the whole life of a ring, configuration, slots', async () => {
  const path = cleanup.path('storage');
  await cleanup.add(storageDaemon({ socketPath: path, queues: 2 }));
  connect(path);
  await wholeLife();
  const { protocolFeatures, queuePairs } = session.negotiated;
  expect(protocolFeatureNames(protocolFeatures)).toEqual(
    expect.arrayContaining(['MQ', 'REPLY_ACK', 'BACKEND_REQ', 'CONFIG', 'CONFIGURE_MEM_SLOTS']),
  );
  // a block device counts queues
  expect(queuePairs).toBe(2);
  // struct virtio_blk_config begins with the capacity in sectors: 16 MiB
  expect(await session.getConfig(0, 8)).toEqual(Uint8Array.of(0, 0x80, 0, 0, 0, 0, 0, 0));
  const extra = { fd: own(memfd('slot', 4096)), region: region(0x10000000, 4096) };
  await session.addRegion(extra);
  await session.removeRegion(extra);
});

test('DPDK’s net_vhost: the whole life of a ring, status, and a refusal that is one', async () => {
  const path = cleanup.path('vhost');
  await cleanup.add(netVhost({ socketPath: path, mode: 'rxonly' }));
  connect(path);
  await wholeLife();
  const { offeredProtocol } = session.negotiated;
  expect(protocolFeatureNames(offeredProtocol & ~BACKEND_PROTOCOL_FEATURES)).toEqual([
    'CRYPTO_SESSION',
    'HOST_NOTIFIER',
  ]);
  await session.setStatus(0xf);
  expect(await session.getStatus()).toBe(0xf);
  session.sendRaw(encodeMessage({ request: 99, payload: u64Payload(0), needReply: true }));
  expect((await session.rawAnswer())?.message.payload).toEqual(u64Payload(1));
});
