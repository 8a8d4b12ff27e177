import { eventFd, memfd, openDescriptors, Reactor, UnixSocket } from '@vhostlab/host';
import {
  BACKEND_PROTOCOL_FEATURES,
  BackendSession,
  Connection,
  EMPTY,
  encodeMessage,
  FRONT,
  type FrontName,
  HostSocket,
  type Payload,
  u64Payload,
} from '../../src/index.ts';
import { FakeDevice, FakeMapper } from '../../test-kit/index.ts';
import { region, state } from '../back-end-rig.ts';

/** Messages under way at once. */
const WINDOW = 32;

/** What the parent compares. */
export interface LeakReport {
  before: number;
  after: number;
  /** After the connection has ended. */
  closed: number;
  mapped: number;
  answers: number;
}

/**
 * Sends the four messages of CVE-2019-14818 and CVE-2020-10726 (virtio.md 5.2, item 7) so many times over a real socket
 * and counts descriptors of this process, which nothing else runs in.
 */
async function run(repetitions: number): Promise<LeakReport> {
  const reactor = new Reactor();
  const [left, right] = UnixSocket.pair();
  const mapper = new FakeMapper();
  const device = new FakeDevice({ protocolFeatures: BACKEND_PROTOCOL_FEATURES });
  const session = new BackendSession({
    socket: new HostSocket(right, reactor),
    device,
    mapper,
    openChannel: (fd) => new HostSocket(new UnixSocket(fd), reactor),
    signal: () => {},
  });
  let answers = 0;
  let wake = () => {};
  const front = new Connection(new HostSocket(left, reactor), {
    frame: (frame) => {
      for (const fd of frame.fds) fd.close();
      answers++;
      wake();
    },
    closed: () => wake(),
  });
  const file = memfd('leaks', 1 << 16);
  const [channelNear, channelFar] = UnixSocket.pair();
  const event = eventFd();
  let sent = 0;
  const until = async (count: number) => {
    while (answers < count && front.closed === null) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const ask = async (name: FrontName, payload: Payload, fds: (typeof file)[] = []) => {
    front.send(encodeMessage({ request: FRONT[name], payload, needReply: true }), fds);
    sent++;
    await until(sent - WINDOW);
  };
  await ask('SET_PROTOCOL_FEATURES', u64Payload(BACKEND_PROTOCOL_FEATURES));
  await ask('SET_FEATURES', u64Payload(0x1_4000_0000n));
  const inflight = { kind: 'inflight', mmapSize: 0n, mmapOffset: 0n, numQueues: 2, queueSize: 256 } as const;
  const table = [0, 1].map(
    (turn) => ({ kind: 'mem-table', regions: [region(turn * 4096, 1 << 16)] }) as const,
  );
  const all = async (turn: number) => {
    await ask('GET_INFLIGHT_FD', inflight);
    await ask('SET_VRING_NUM', state(turn & 1, 256));
    await ask('SET_MEM_TABLE', table[turn & 1], [file]);
    await ask('SET_BACKEND_REQ_FD', EMPTY, [channelFar.fd]);
    // refused ones bring descriptors too
    if (turn % 10 === 0) await ask('SET_VRING_NUM', state(0, 256), [event, event, event]);
  };
  await all(0);
  await all(1);
  await until(sent);
  const before = openDescriptors();
  for (let turn = 0; turn < repetitions; turn++) await all(turn);
  await until(sent);
  const after = openDescriptors();
  front.close({ why: 'local', text: 'done' });
  await session.finished;
  for (const fd of [file, event, channelFar.fd, channelNear.fd]) fd.close();
  const closed = openDescriptors();
  await reactor.stop();
  return { before, after, closed, mapped: mapper.mapped.size, answers: answers - sent };
}

console.log(JSON.stringify(await run(Number(process.argv[2]))));
