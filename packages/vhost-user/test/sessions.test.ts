import {
  closeAll,
  eventFd,
  type Fd,
  memfd,
  pipe,
  Reactor,
  readBytes,
  UnixSocket,
  writeBytes,
} from '@vhostlab/host';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  BACKEND_PROTOCOL_FEATURES,
  BackendSession,
  decodeBase,
  encodeMessage,
  FRONT,
  type FrontendOptions,
  FrontendRequestError,
  FrontendSession,
  HostSocket,
  type Iotlb,
  type MessageSocket,
  protocolMask,
  u64Payload,
} from '../src/index.ts';
import { FakeDevice, FakeMapper, memorySocketPair } from '../test-kit/index.ts';
import { region, ringAddr } from './back-end-rig.ts';

const reactor = new Reactor();
afterAll(() => reactor.stop());

/** Sockets of both kinds; the back-end channel travels as a descriptor, so in memory it is handed over beside it. */
const TRANSPORTS = {
  memory: {
    pair: (): [MessageSocket, MessageSocket] => memorySocketPair(),
    channel: () => {
      const [near, far] = memorySocketPair();
      return { near, far: eventFd(), open: () => far };
    },
  },
  'Unix socket': {
    pair: (): [MessageSocket, MessageSocket] => {
      const [a, b] = UnixSocket.pair();
      return [new HostSocket(a, reactor), new HostSocket(b, reactor)];
    },
    channel: () => {
      const [a, b] = UnixSocket.pair();
      return {
        near: new HostSocket(a, reactor),
        far: b.fd,
        open: (fd: Fd) => new HostSocket(new UnixSocket(fd.dup()), reactor),
      };
    },
  },
};

describe.each(Object.entries(TRANSPORTS))('sessions over %s', (_name, transport) => {
  let device: FakeDevice;
  let mapper: FakeMapper;
  let front: FrontendSession;
  let back: BackendSession;
  let configChanges = 0;
  const misses: Iotlb[] = [];
  const owned: Fd[] = [];
  const own = (fd: Fd): Fd => {
    owned.push(fd);
    return fd;
  };

  function start(options: Partial<FrontendOptions> = {}, features = 0x3_3000_8000n): void {
    device = new FakeDevice({ features, protocolFeatures: BACKEND_PROTOCOL_FEATURES, queuePairs: 2 });
    mapper = new FakeMapper();
    const [near, far] = transport.pair();
    const channel = transport.channel();
    back = new BackendSession({
      socket: far,
      device,
      mapper,
      openChannel: (fd) => {
        const socket = channel.open(fd);
        fd.close();
        return socket;
      },
      signal: () => {},
    });
    front = new FrontendSession(near, {
      features,
      makeChannel: () => channel,
      requests: {
        iotlb: async (message) => {
          misses.push(message);
          const page = message.iova & ~0xfffn;
          await front.updateIotlb(page, 0x1000n, region(0, 0).userspaceAddr + page - 0x100000n, 3);
          return null;
        },
        configChanged: async () => {
          configChanges++;
          return null;
        },
      },
      ...options,
    });
  }

  async function share(bytes = 1 << 20): Promise<void> {
    await front.setMemory([{ fd: own(memfd('sessions', bytes)), region: region(0, bytes) }]);
  }

  async function ring(index: number, iova = 0n): Promise<void> {
    const { desc, used, avail } = ringAddr(index);
    const shift = (address: bigint) => (iova === 0n ? address : address - region(0, 0).userspaceAddr + iova);
    await front.setUpRing({
      index,
      size: 256,
      base: 0,
      desc: shift(desc),
      used: shift(used),
      avail: shift(avail),
      usedLogAddress: null,
      kick: own(eventFd()),
      call: own(eventFd()),
      err: own(eventFd()),
    });
  }

  beforeEach(() => {
    start();
    configChanges = 0;
    misses.length = 0;
  });

  afterEach(async () => {
    front.close('test is over');
    await Promise.all([front.finished, back.finished]);
    closeAll(owned.splice(0));
    expect(mapper.mapped.size).toBe(0);
  });

  test('negotiation, memory, rings, status, stop', async () => {
    const negotiated = await front.negotiate();
    expect(negotiated).toMatchObject({
      queuePairs: 2,
      memSlots: 32,
      offeredProtocol: BACKEND_PROTOCOL_FEATURES,
    });
    expect(negotiated.protocolFeatures).toBe(
      BACKEND_PROTOCOL_FEATURES & ~protocolMask('INBAND_NOTIFICATIONS'),
    );
    await front.setFeatures(negotiated.features & ~(1n << 33n));
    await front.setStatus(0xb);
    expect(await front.getStatus()).toBe(0xb);
    await share();
    for (const index of [0, 1, 2, 3]) await ring(index);
    for (const index of [0, 1]) await front.setEnabled(index, true);
    expect(device.running.size).toBe(0);
    await front.setStatus(0xf);
    expect([...device.running.values()].map(({ enabled }) => enabled)).toEqual([true, true, false, false]);
    device.stoppedBase = { format: 'split', lastAvail: 513 };
    expect(decodeBase('split', await front.stopRing(2))).toEqual({ format: 'split', lastAvail: 513 });
    expect(device.running.has(2)).toBe(false);
    await front.setStatus(0);
    expect(device.running.size).toBe(0);
  });

  test('more than eight regions go into slots, and out again', async () => {
    const { features } = await front.negotiate();
    await front.setFeatures(features & ~(1n << 33n));
    const regions = Array.from({ length: 12 }, (_, i) => ({
      fd: own(memfd('slot', 4096)),
      region: region(i * 4096, 4096),
    }));
    await front.setMemory(regions);
    expect(device.regions).toHaveLength(12);
    for (const one of regions) await front.removeRegion(one);
    expect(device.regions).toHaveLength(0);
  });

  test('configuration both ways, MTU, announcement, reset', async () => {
    await front.negotiate();
    expect(await front.getConfig(6, 4)).toEqual(Uint8Array.of(6, 7, 8, 9));
    await front.setConfig({ offset: 0, flags: 1, region: Uint8Array.of(2, 2) });
    await front.setMtu(9000);
    await front.sendRarp(Uint8Array.of(2, 0, 0, 0, 0, 1));
    await front.resetDevice();
    expect(device.calls).toEqual([
      'config 0 2 migration',
      'mtu 9000',
      'rarp 2:0:0:0:0:1',
      'reset reset-device',
    ]);
    expect(back.configChanged()).toBe(true);
    await front.getConfig(0, 1);
    while (configChanges === 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test('log, inflight region', async () => {
    const { features, offered } = await front.negotiate();
    await front.setFeatures((features & ~(1n << 33n)) | (offered & (1n << 26n)));
    await share();
    await front.setLogBase(own(memfd('log', 4096)), 4096, 0);
    expect(device.log).toMatchObject({ bytes: 4096, logAll: true });
    const { inflight, fd } = await front.getInflight(4, 256);
    own(fd);
    expect(inflight.mmapSize).toBe(4n * 4160n);
    expect(device.inflight).toMatchObject({ fresh: true, queues: 4, bytesPerQueue: 4160 });
    await front.setInflight(inflight, fd);
    expect(device.inflight).toMatchObject({ fresh: false, queues: 4, queueSize: 256 });
  });

  test('state of the device through a pipe', async () => {
    await front.negotiate();
    device.transfer = async (fd) => {
      writeBytes(fd, Uint8Array.of(7, 8, 9));
      return null;
    };
    const [read, write] = pipe();
    own(read);
    expect(await front.startStateTransfer('save', write)).toBeNull();
    write.close();
    await front.checkState();
    const into = new Uint8Array(100);
    expect(readBytes(read, into)).toBe(3);
    expect(into.subarray(0, 3)).toEqual(Uint8Array.of(7, 8, 9));
    device.transfer = async () => 'it is of another version';
    const [, other] = pipe();
    own(other);
    await front.startStateTransfer('load', other);
    await expect(front.checkState()).rejects.toMatchObject({
      failure: 'refused',
      request: 'CHECK_DEVICE_STATE',
    });
  });

  test('rings at I/O virtual addresses are translated on demand and pause when a translation goes', async () => {
    const { features } = await front.negotiate();
    await front.setFeatures(features);
    await share();
    await ring(1, 0x100000n);
    await front.setStatus(0xf);
    while (!device.running.has(1)) await new Promise((resolve) => setImmediate(resolve));
    const start = device.regions[0].mapping.arenaOffset;
    expect(device.running.get(1)!.areas).toEqual({
      descriptor: start + 0x10000,
      driver: start + 0x14000,
      device: start + 0x18000,
    });
    const asked = misses.map(({ iova }) => iova);
    expect(asked).toContain(0x110000n);
    expect(asked).toContain(0x118000n);
    await front.invalidateIotlb(0x118000n, 0x1000n);
    const gone = device.translations.filter(({ kind }) => kind === 'invalidate').at(-1);
    expect(gone?.rings).toEqual([{ index: 1, areas: null }]);
    // it is asked for again at once
    while (device.running.get(1)!.areas === null) await new Promise((resolve) => setImmediate(resolve));
  });

  test('what the back end refuses is an error that names the message', async () => {
    await front.negotiate();
    const error = await front.setMtu(10).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(FrontendRequestError);
    expect(error).toMatchObject({ failure: 'refused', request: 'NET_SET_MTU' });
    expect(String(error)).toContain('NET_SET_MTU');
    // and the connection goes on
    expect(await front.getStatus()).toBe(0);
  });

  test('raw bytes reach the back end, and its answers whoever waits for them', async () => {
    await front.negotiate();
    expect(front.sendRaw(encodeMessage({ request: 99, payload: u64Payload(5), needReply: true }))).toBe(true);
    const answer = await front.rawAnswer();
    expect(answer?.message).toMatchObject({
      header: { request: 99, flags: 5 },
      payload: { kind: 'u64', value: 1n },
    });
    front.sendRaw(
      encodeMessage({ request: FRONT.SET_VRING_NUM, payload: { kind: 'state', index: 65536, num: 256 } }),
    );
    expect(await front.rawAnswer()).toBeNull();
    expect(await back.finished).toMatchObject({ why: 'violation' });
  });

  test('requests made at once are answered in order', async () => {
    await front.negotiate();
    const answers = await Promise.all([
      front.getStatus(),
      front.getConfig(3, 1),
      front.request('GET_QUEUE_NUM', { kind: 'empty' }),
      front.getConfig(5, 1),
    ]);
    expect(answers).toEqual([
      0,
      Uint8Array.of(3),
      { payload: { kind: 'u64', value: 2n }, fds: [] },
      Uint8Array.of(5),
    ]);
  });

  test('the end of the back end fails what waits', async () => {
    await front.negotiate();
    const waiting = front.getStatus().catch((error: unknown) => error);
    back.close({ why: 'local', text: 'it is told to stop' });
    expect(await waiting).toMatchObject({ failure: 'closed', request: 'GET_STATUS' });
    await expect(front.setMtu(1500)).rejects.toMatchObject({ failure: 'closed' });
  });
});
