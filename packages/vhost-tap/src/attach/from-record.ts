import {
  decodeMessage,
  F_ACCESS_PLATFORM,
  F_EVENT_IDX,
  F_PROTOCOL_FEATURES,
  F_RING_PACKED,
  type MemRegion,
  type Message,
} from '@vhostlab/vhost-user';
import { FlowChecker } from '../flow/flow-checker.ts';
import type { RingFacts } from '../flow/session-state.ts';
import type { FdNote, MessageLine, NoteLine, StepLine } from '../record/record-lines.ts';
import { readRecord } from '../record/record-reader.ts';
import type { TamperedSignal } from './queue-look.ts';
import { AttachError, areaBytes, type FileArea, type FoundQueue } from './queue-source.ts';

interface SharedFile {
  readonly region: MemRegion;
  readonly inode: number;
}

const KINDS = new Set(['message', 'step', 'inject', 'close'] as const);

/** The rings of the newest connection in a tap's record. Throws an AttachError or a RecordError. */
export function queuesFromRecord(folder: string): FoundQueue[] {
  const { lines } = readRecord(folder, KINDS);
  const session = lines.findLast(({ kind }) => kind === 'message')?.session;
  if (session === undefined) throw new AttachError(`--record ${folder}: no front end has come to this tap.`);
  const replayed = new RecordedState(session, folder);
  for (const line of lines) {
    if (line.session !== session) continue;
    if (line.kind === 'close') throw new AttachError(`--record ${folder}: its last front end has gone.`);
    if (line.kind === 'message' && line.channel === 'main') replayed.take(line);
    else if (line.kind === 'step') replayed.step(line);
    else if (line.kind === 'inject') replayed.inject(line);
  }
  const found = replayed.queues();
  if (found.length === 0)
    throw new AttachError(`--record ${folder}: its last front end has not started a ring.`);
  return found;
}

/** What the messages of one connection have set up. */
class RecordedState {
  readonly #session: number;
  readonly #folder: string;
  readonly #flow = new FlowChecker();
  #files: SharedFile[] = [];
  readonly #events = new Map<string, string[]>();
  readonly #tampered = new Map<string, TamperedSignal>();

  constructor(session: number, folder: string) {
    this.#session = session;
    this.#folder = folder;
  }

  take(line: MessageLine): void {
    const bytes = Uint8Array.from(Buffer.from(line.bytes, 'hex'));
    const role = line.from === 'front end' ? 'request' : 'reply';
    const message = decodeMessage(bytes, 'main', role, line.fds.length);
    if (role === 'reply') {
      this.#flow.backAnswer(message);
      return;
    }
    this.#flow.frontRequest(message);
    this.#takeFds(message, line.fds);
  }

  /** The other peer got another eventfd. */
  step({ name, queue, id }: StepLine): void {
    this.#events.get(`${name}/${queue}`)?.push(id);
  }

  inject({ signal }: NoteLine): void {
    const isTaken = signal !== undefined && !signal.rule.startsWith('duplicate');
    if (!isTaken || signal.avail < 0 || signal.used < 0) return;
    this.#tampered.set(`${signal.kind}/${signal.queue}`, signal);
  }

  queues(): FoundQueue[] {
    if ((this.#flow.state.features & F_ACCESS_PLATFORM) !== 0n) {
      throw new AttachError(
        `--record ${this.#folder}: the rings have I/O addresses (ACCESS_PLATFORM), which the record does not translate; use --qmp.`,
      );
    }
    return this.#flow.state.ringList.filter(({ started }) => started).map((ring) => this.#queue(ring));
  }

  #takeFds({ payload, name }: Message, fds: readonly FdNote[]): void {
    if (payload?.kind === 'mem-table' && payload.regions.length > 0) {
      this.#files = payload.regions.flatMap((region, at) => fileOf(region, fds[at]));
    } else if (payload?.kind === 'mem-region' && name === 'ADD_MEM_REG') {
      this.#files.push(...fileOf(payload.region, fds[0]));
    } else if (payload?.kind === 'mem-region' && name === 'REM_MEM_REG') {
      const { guestPhysAddr } = payload.region;
      this.#files = this.#files.filter(({ region }) => region.guestPhysAddr !== guestPhysAddr);
    } else if (payload?.kind === 'vring-fd') {
      const ids = fds.flatMap(({ id }) => id ?? []);
      this.#events.set(`${name}/${payload.index}`, ids);
    }
  }

  #queue({ index, size, addr, enabled }: RingFacts): FoundQueue {
    const { features } = this.#flow.state;
    const format = (features & F_RING_PACKED) === 0n ? 'split' : 'packed';
    const hasEvents = (features & F_EVENT_IDX) !== 0n;
    if (size === null || addr === null) {
      throw new AttachError(
        `--record ${this.#folder}: ring ${index} was started without a size or addresses.`,
      );
    }
    const [desc, driver, device] = areaBytes(format, size, hasEvents);
    return {
      device: `session ${this.#session}`,
      queue: index,
      format,
      size,
      hasEvents,
      isEnabled: enabled || (features & F_PROTOCOL_FEATURES) === 0n,
      descArea: this.#area(addr.desc, desc),
      driverArea: this.#area(addr.avail, driver),
      deviceArea: this.#area(addr.used, device),
      events: {
        kick: this.#events.get(`SET_VRING_KICK/${index}`) ?? [],
        call: this.#events.get(`SET_VRING_CALL/${index}`) ?? [],
      },
      tamperedKick: this.#tamperedSignal('kick', index, format, size),
      tamperedCall: this.#tamperedSignal('call', index, format, size),
    };
  }

  #tamperedSignal(
    kind: 'kick' | 'call',
    queue: number,
    format: FoundQueue['format'],
    size: number,
  ): TamperedSignal | null {
    const signal = this.#tampered.get(`${kind}/${queue}`);
    if (signal === undefined) return null;
    // a packed sample has the wrap counter in bit 15
    const placeOf = (word: number) =>
      format === 'split' ? word : (word & 0x7fff) + ((word & 0x8000) === 0 ? size : 0);
    return { rule: signal.rule, avail: placeOf(signal.avail), used: placeOf(signal.used) };
  }

  #area(address: bigint, bytes: number): FileArea {
    for (const { region, inode } of this.#files) {
      const at = address - region.userspaceAddr;
      if (at < 0n || at + BigInt(bytes) > region.memorySize) continue;
      return { inode, fileOffset: Number(region.mmapOffset + at), bytes };
    }
    throw new AttachError(
      `--record ${this.#folder}: no memory at 0x${address.toString(16)}, where a ring is.`,
    );
  }
}

function fileOf(region: MemRegion, note: FdNote | undefined): SharedFile[] {
  return note?.inode === undefined ? [] : [{ region, inode: note.inode }];
}
