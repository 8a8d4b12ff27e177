import {
  eventFd,
  type Fd,
  type MappedArena,
  memfd,
  Reactor,
  reserveArena,
  resize,
  signalEvent,
  UnixSocket,
} from '@vhostlab/host';
import { Arena } from '@vhostlab/memory';
import { FrontendSession, HostSocket } from '@vhostlab/vhost-user';
import { FeatureSet } from '@vhostlab/virtio-net';
import { DirectPublisher, SplitDriver, UsedBatch } from '@vhostlab/virtqueue';

const MEMORY_BYTES = 2 ** 21;
const QUEUE_SIZE = 64;
const HEADER_BYTES = 12;
const USER_BASE = 0x7f00_0000_0000n;
/** Places in guest memory: rings first, buffers behind. */
const RX_RINGS = 0;
const TX_RINGS = 16_384;
const BUFFERS = 65_536;
const BUFFER_BYTES = 2048;
const READY_MS = 5000;

/** The smallest guest that sends and receives: one queue pair, split rings, everything in one thread. */
export class TinyGuest {
  readonly reactor = new Reactor();
  readonly file: Fd;
  readonly arena: Arena;
  readonly #mapped: MappedArena;
  readonly #kicks = [eventFd(), eventFd()];
  session: FrontendSession | undefined;
  rx!: SplitDriver;
  tx!: SplitDriver;
  readonly #used = new UsedBatch(QUEUE_SIZE);
  #next = 0;

  constructor() {
    this.file = memfd('guest', MEMORY_BYTES);
    this.#mapped = reserveArena(MEMORY_BYTES);
    this.#mapped.mapFile(0, this.file, 0, MEMORY_BYTES);
    this.arena = new Arena(this.#mapped.buffer);
  }

  /** Connects and starts both rings from the beginning. */
  async start(path: string, protocolFeatures?: bigint): Promise<void> {
    const wishes = FeatureSet.of('VERSION_1').toBigInt();
    const session = new FrontendSession(new HostSocket(UnixSocket.connect(path), this.reactor), {
      features: wishes,
      timeoutMs: READY_MS,
      ...(protocolFeatures === undefined ? {} : { protocolFeatures }),
    });
    this.session = session;
    const { features } = await session.negotiate();
    await session.setFeatures(features);
    const region = {
      guestPhysAddr: 0n,
      memorySize: BigInt(MEMORY_BYTES),
      userspaceAddr: USER_BASE,
      mmapOffset: 0n,
    };
    await session.setMemory([{ fd: this.file, region }]);
    this.arena.u8.fill(0, 0, BUFFERS);
    this.rx = this.#driver(0, RX_RINGS);
    this.tx = this.#driver(1, TX_RINGS);
    for (const [index, at] of [RX_RINGS, TX_RINGS].entries()) {
      const [desc, avail, used] = areas(at);
      await session.setUpRing({
        index,
        size: QUEUE_SIZE,
        base: 0,
        desc: USER_BASE + BigInt(desc),
        avail: USER_BASE + BigInt(avail),
        used: USER_BASE + BigInt(used),
        usedLogAddress: null,
        kick: this.#kicks[index] as Fd,
        call: null,
        err: null,
      });
      await session.setEnabled(index, true);
    }
    for (let i = 0; i < QUEUE_SIZE; i++) {
      this.rx.addOne(BUFFERS + i * BUFFER_BYTES, BUFFER_BYTES, true, i);
    }
    this.rx.publish();
    this.#kick(0, this.rx);
  }

  /** Sends one frame of `bytes` bytes, each of value `fill`. */
  send(bytes: number, fill: number): void {
    const at = BUFFERS + (QUEUE_SIZE + (this.#next++ % QUEUE_SIZE)) * BUFFER_BYTES;
    this.arena.u8.fill(0, at, at + HEADER_BYTES);
    this.arena.u8.fill(fill, at + HEADER_BYTES, at + HEADER_BYTES + bytes);
    this.tx.popUsed(this.#used, QUEUE_SIZE);
    this.tx.addOne(at, HEADER_BYTES + bytes, false, 0);
    this.tx.publish();
    this.#kick(1, this.tx);
  }

  /** Kicks the transmitq whatever its driver thinks. */
  kickTransmit(): void {
    signalEvent((this.#kicks[1] as Fd).number);
  }

  /** Frames that have come since the last call: length and first byte of each. */
  received(): { bytes: number; first: number }[] {
    this.rx.popUsed(this.#used, QUEUE_SIZE);
    const used = this.#used;
    return Array.from({ length: used.count }, (_, i) => {
      const at = BUFFERS + (used.token[i] as number) * BUFFER_BYTES;
      return {
        bytes: (used.length[i] as number) - HEADER_BYTES,
        first: this.arena.u8[at + HEADER_BYTES] as number,
      };
    });
  }

  /** Takes the memory away from under whoever has mapped it. Nothing here may touch it afterwards. */
  truncate(): void {
    resize(this.file, 0);
  }

  async close(): Promise<void> {
    this.session?.close('the guest ends');
    await this.session?.finished;
    await this.reactor.stop();
    for (const fd of [this.file, ...this.#kicks]) fd.close();
    this.#mapped.release();
  }

  #driver(index: number, at: number): SplitDriver {
    const [descOffset, driverOffset, deviceOffset] = areas(at);
    const features = { eventIdx: false, indirect: false, inOrder: false };
    const place = { size: QUEUE_SIZE, index, descOffset, driverOffset, deviceOffset, features };
    return new SplitDriver(this.arena, new DirectPublisher(this.arena), place);
  }

  #kick(index: number, driver: SplitDriver): void {
    if (driver.shouldKick()) signalEvent((this.#kicks[index] as Fd).number);
  }
}

function areas(at: number): [number, number, number] {
  return [at, at + 4096, at + 8192];
}
