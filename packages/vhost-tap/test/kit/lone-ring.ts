import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeAll, eventFd, eventFdId, fdFacts, memfd, reserveArena } from '@vhostlab/host';
import {
  type Draft,
  encodeMessage,
  FRONT,
  type FrontName,
  type Payload,
  u64Payload,
} from '@vhostlab/vhost-user';
import type { FdNote, RecordLine } from '../../src/record/record-lines.ts';

const USER = 0x7f00_0000_0000n;
const VERSION_1 = 1n << 32n;
const PACKED_AVAIL = 1 << 7;
const PACKED_USED = 1 << 15;
/** Offsets in the memory. */
const [DESC, AVAIL, USED] = [4096, 8192, 12288];

/** One split ring in memory of this process, with eventfds, and the record of a tap that saw its driver begin. */
export class LoneRing {
  readonly folder = mkdtempSync(join(tmpdir(), 'vhost-tap-'));
  readonly size = 8;
  readonly memoryBytes = 1 << 16;
  readonly kick = eventFd();
  readonly call = eventFd();
  readonly memory = memfd('vhostlab-ring', this.memoryBytes);
  readonly #arena = reserveArena(this.memoryBytes);
  readonly #u16: Uint16Array;
  readonly #lines: RecordLine[] = [];

  constructor() {
    this.#arena.mapFile(0, this.memory, 0, this.memoryBytes);
    this.#u16 = new Uint16Array(this.#arena.buffer);
  }

  /** Where an area begins in this process. */
  get addresses(): { desc: number; avail: number; used: number } {
    const { address } = this.#arena;
    return { desc: address + DESC, avail: address + AVAIL, used: address + USED };
  }

  /** Copy of all of the memory. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#arena.buffer, 0, this.memoryBytes).slice();
  }

  /** Indices, and whether the device wants kicks. */
  put(avail: number, used: number, deviceFlags = 0): void {
    this.#u16[(AVAIL + 2) >>> 1] = avail;
    this.#u16[(USED + 2) >>> 1] = used;
    this.#u16[USED >>> 1] = deviceFlags;
  }

  /**
   * The same memory as a packed ring in its first lap: descriptors before `used` are used, those up to `avail` available.
   * `device`: event word (offset, wrap counter in bit 15) and flags of the device.
   */
  putPacked(avail: number, used: number, device: readonly [offWrap: number, flags: number]): void {
    for (let slot = 0; slot < this.size; slot++) {
      const flags = slot < used ? PACKED_AVAIL | PACKED_USED : slot < avail ? PACKED_AVAIL : 0;
      this.#u16[(DESC + 16 * slot + 14) >>> 1] = flags;
    }
    this.#u16.set(device, USED >>> 1);
  }

  /** Writes down what a tap sees when a driver starts this ring as transmitq 1, and `more`. */
  record(more: readonly RecordLine[] = [], features = VERSION_1): void {
    const inode = Number(fdFacts(this.memory).identity.split(':')[1]);
    const event = (fd: { number: number }): FdNote[] => [{ kind: 'eventfd', id: eventFdId(fd)! }];
    const ring = { kind: 'vring-fd', index: 1, noFd: false, reserved: 0n } as const;
    const areas = { desc: USER + BigInt(DESC), avail: USER + BigInt(AVAIL), used: USER + BigInt(USED) };
    const region = {
      guestPhysAddr: 0n,
      memorySize: BigInt(this.memoryBytes),
      userspaceAddr: USER,
      mmapOffset: 0n,
    };
    this.#lines.splice(0);
    this.#lines.push({
      kind: 'record',
      version: 1,
      startedMs: 0,
      listen: 'a',
      connect: 'b',
      notifications: true,
      sampleHz: 1000,
    });
    this.#say('SET_FEATURES', u64Payload(features));
    const file: FdNote = { kind: 'file', bytes: this.memoryBytes, inode };
    this.#say('SET_MEM_TABLE', { kind: 'mem-table', regions: [region] }, [file]);
    this.#say('SET_VRING_NUM', { kind: 'state', index: 1, num: this.size });
    this.#say('SET_VRING_ADDR', { kind: 'addr', index: 1, flags: 0, ...areas, logGuestAddr: 0n });
    this.#say('SET_VRING_CALL', ring, event(this.call));
    this.#say('SET_VRING_KICK', ring, event(this.kick));
    const text = [...this.#lines, ...more].map((line) => `${JSON.stringify(line)}\n`).join('');
    writeFileSync(join(this.folder, 'messages.jsonl'), text);
  }

  close(): void {
    this.#arena.release();
    closeAll([this.memory, this.kick, this.call]);
    rmSync(this.folder, { recursive: true });
  }

  #say(name: FrontName, payload: Payload, fds: readonly FdNote[] = []): void {
    const draft: Draft = { request: FRONT[name], payload };
    const bytes = Buffer.from(encodeMessage(draft)).toString('hex');
    this.#lines.push({
      kind: 'message',
      session: 1,
      t: 0,
      channel: 'main',
      from: 'front end',
      name,
      bytes,
      fds,
    });
  }
}
