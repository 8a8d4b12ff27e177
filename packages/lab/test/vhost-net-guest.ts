// Runs as root in a machine that has /dev/vhost-net: our front end at the kernel's vhost-net, with raw sockets at the other
// side of its tap. Prints one line of JSON with what happened; test/vhost-net.long.peers.test.ts judges it.
import { readFileSync } from 'node:fs';
import {
  type Fd,
  ioctlValue,
  openDescriptors,
  openPacketSocket,
  openTap,
  readBytes,
  sleep,
  writeBytes,
} from '@vhostlab/host';
import { PcapngWriter, readCapture } from '@vhostlab/packet';
import { type FrontendOptions, startFrontend } from '@vhostlab/vhost-driver';
import { measureKernelRound } from '../src/real/measure-kernel.ts';

const TUNSETPERSIST = 0x400454cb;
const FRAMES = 200;
const VERIFIED = 400;
const TIMEOUT_MS = 30_000;
const COMMON = { memoryBytes: 16 * 2 ** 20, queueSize: 64, wait: 'interrupt' } as const;

/** A tap interface that outlives its users, as `ip tuntap add` makes it: sockets are there before the first frame. */
function makeTap(name: string, multiQueue: boolean): void {
  const tap = openTap(name, { headerBytes: 12, multiQueue });
  ioctlValue(tap, TUNSETPERSIST, 'TUNSETPERSIST', 1);
  tap.close();
}

/** Frames of every length in turn, with bytes that a generator of its own seed wrote (ethertype 0x88b5: experiments). */
function makeFrames(seed: number): Uint8Array[] {
  let state = seed;
  return Array.from({ length: FRAMES }, (_, f) => {
    const frame = new Uint8Array(60 + ((f * 97) % 1455));
    for (let i = 0; i < frame.length; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      frame[i] = state >>> 24;
    }
    frame.set([0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5]);
    return frame;
  });
}

/** How many of the frames came, in their order and each byte as it was. */
function sameFrames(sent: readonly Uint8Array[], got: readonly Uint8Array[]): number {
  return got.filter((frame, at) => sent[at] !== undefined && Buffer.compare(frame, sent[at]) === 0).length;
}

function capturedFrames(file: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const capture = readCapture(file);
  while (capture.next()) {
    frames.push(file.slice(capture.offset, capture.offset + capture.capturedLength));
  }
  return frames;
}

/** Takes frames from a raw socket until `isDone`, or the time is over. */
async function readFrames(
  socket: Fd,
  take: (frame: Uint8Array) => Promise<void> | void,
  isDone: () => boolean,
): Promise<void> {
  const room = new Uint8Array(65_536);
  const deadline = performance.now() + TIMEOUT_MS;
  while (!isDone() && performance.now() < deadline) {
    const got = readBytes(socket, room);
    if (typeof got === 'number') await take(room.slice(0, got));
    else await sleep(1);
  }
}

async function writeFrame(socket: Fd, frame: Uint8Array): Promise<void> {
  while (writeBytes(socket, frame) === 'again') await sleep(1);
}

function start(vhostNet: string, options: Omit<FrontendOptions, 'socketPath'>) {
  return startFrontend({ ...COMMON, vhostNet, ...options });
}

/** Guest to host: what the driver sends of a capture, as a raw socket reads it. */
async function transmit(tap: string) {
  const sent = makeFrames(1);
  const writer = new PcapngWriter();
  writer.addInterface({ name: 'guest' });
  for (const bytes of sent) writer.write({ bytes, timestampNs: 0n, interfaceId: 0 });
  const socket = openPacketSocket(tap);
  const got: Uint8Array[] = [];
  try {
    const frontend = await start(tap, {
      workload: {
        kind: 'tx',
        capture: writer.take(),
        traffic: { kind: 'pcap', packets: FRAMES, rate: 'unpaced', lineBps: 25e9, seed: 1 },
      },
    });
    await readFrames(
      socket,
      (frame) => void got.push(frame),
      () => got.length >= FRAMES,
    );
    const { stoppedAt, undelivered } = await frontend.stop();
    return {
      same: sameFrames(sent, got),
      got: got.length,
      stoppedAt,
      undelivered,
      features: `${frontend.features}`,
    };
  } finally {
    socket.close();
  }
}

/** Host to guest: what a raw socket sends, as the driver finds it in its receive buffers. */
async function receive(tap: string) {
  const sent = makeFrames(2);
  const file = '/tmp/received.pcapng';
  const frontend = await start(tap, { workload: { kind: 'rx', packets: FRAMES }, writePcap: file });
  const socket = openPacketSocket(tap);
  try {
    for (const frame of sent) await writeFrame(socket, frame);
    const ended = await Promise.race([frontend.ended, sleep(TIMEOUT_MS).then(() => undefined)]);
    const { stoppedAt, figures } = await frontend.stop();
    const got = capturedFrames(readFileSync(file));
    const { kicks, interrupts } = figures.rx;
    return { same: sameFrames(sent, got), got: got.length, why: ended?.why, stoppedAt, kicks, interrupts };
  } finally {
    socket.close();
  }
}

/** Both ways at once over two queue pairs: a raw socket sends back what it reads, the driver checks every frame. */
async function verify(tap: string) {
  const socket = openPacketSocket(tap);
  try {
    const frontend = await start(tap, {
      queues: 2,
      features: { eventIdx: true },
      workload: {
        kind: 'verify',
        window: 32,
        traffic: { kind: 'udp', size: 'imix', packets: VERIFIED, flows: 8, lineBps: 25e9, seed: 3 },
      },
    });
    let isOver = false;
    void frontend.ended.then(() => {
      isOver = true;
    });
    await readFrames(
      socket,
      (frame) => writeFrame(socket, frame),
      () => isOver,
    );
    const { verified, figures, stoppedAt } = await frontend.stop();
    return { verified, stoppedAt, sent: figures.queues.map(({ packets }) => packets) };
  } finally {
    socket.close();
  }
}

const seconds: Record<string, number> = { started: performance.now() / 1000 };
makeTap('vnet0', false);
makeTap('vnet1', true);
const transmitted = await transmit('vnet0');
seconds.transmitted = performance.now() / 1000;
// Node keeps what the first thread and the first file needed
const before = openDescriptors();
const received = await receive('vnet0');
seconds.received = performance.now() / 1000;
const checked = await verify('vnet1');
seconds.checked = performance.now() / 1000;
const rounds = [];
for (const workload of ['tx', 'rx'] as const) {
  const options = { queues: 1, ringSize: 256, seconds: 0.5, size: '64' };
  rounds.push(await measureKernelRound(workload, options, new AbortController().signal));
}
seconds.measured = performance.now() / 1000;
const left = openDescriptors() - before;
process.stdout.write(`RESULT ${JSON.stringify({ transmitted, received, checked, rounds, left, seconds })}\n`);
