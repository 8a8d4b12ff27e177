import { type Descriptor, Fd } from './fd.ts';
import { checked, epollWaitAsync, libc, viewMemory } from './libc.ts';
import { mapPrivate } from './mmap.ts';

const EPOLL_CLOEXEC = 0o2000000;
const ADD = 1;
const DELETE = 2;
const MODIFY = 3;
export const EVENT_READABLE = 1;
export const EVENT_WRITABLE = 4;
export const EVENT_ERROR = 8;
export const EVENT_HANGUP = 0x10;

const ROOM = 64;
/** Event words of an `epoll_event`, which is packed on x86-64: u32 events, u64 data. */
const WORDS = 3;
/** Where the event of `epoll_ctl` stands, behind those that `epoll_wait` fills. */
const CONTROL_WORD = ROOM * WORDS;

/** Waits for descriptors (epoll, level-triggered). Each is known by a token of the caller, an unsigned 32-bit number. */
export class Poller {
  readonly #fd: Fd;
  readonly #address: number;
  readonly #words: Uint32Array;
  #ready = 0;

  constructor() {
    this.#fd = new Fd(checked(libc.epollCreate(EPOLL_CLOEXEC), 'epoll_create1'), 'epoll');
    this.#address = mapPrivate(4096);
    this.#words = new Uint32Array(viewMemory(this.#address, 4096));
  }

  /** Descriptor of the epoll set itself. */
  get number(): number {
    return this.#fd.number;
  }

  add(fd: Descriptor, token: number, events = EVENT_READABLE): void {
    this.#control(ADD, fd, token, events);
  }

  modify(fd: Descriptor, token: number, events: number): void {
    this.#control(MODIFY, fd, token, events);
  }

  /** Takes a descriptor out; one that is closed already is out by itself. */
  remove(fd: Descriptor): void {
    if (fd.number >= 0) libc.epollCtl(this.#fd.number, DELETE, fd.number, 0);
  }

  /** Blocks this thread up to `timeoutMs` (-1: for ever). Answers how many descriptors are ready, at most 64. */
  wait(timeoutMs: number): number {
    this.#ready = Math.max(0, libc.epollWait(this.#fd.number, this.#address, ROOM, timeoutMs));
    return this.#ready;
  }

  /** The same without blocking the event loop: a thread of the pool waits. */
  waitAsync(timeoutMs: number): Promise<number> {
    return new Promise((resolve) => {
      epollWaitAsync([this.#fd.number, this.#address, ROOM, timeoutMs], (result) => {
        this.#ready = Math.max(0, result);
        resolve(this.#ready);
      });
    });
  }

  /** Token of the `at`th ready descriptor. */
  token(at: number): number {
    return this.#words[at * WORDS + 1];
  }

  /** EVENT_… of the `at`th ready descriptor. */
  events(at: number): number {
    return this.#words[at * WORDS];
  }

  /** Closes the set. No wait may be under way. */
  close(): void {
    if (!this.#fd.isOpen) return;
    this.#fd.close();
    libc.munmap(this.#address, 4096);
  }

  #control(operation: number, fd: Descriptor, token: number, events: number): void {
    this.#words[CONTROL_WORD] = events;
    this.#words[CONTROL_WORD + 1] = token;
    this.#words[CONTROL_WORD + 2] = 0;
    const event = this.#address + CONTROL_WORD * 4;
    checked(libc.epollCtl(this.#fd.number, operation, fd.number, event), 'epoll_ctl', fd.kind);
  }
}
