import type { Arena, Publisher } from '@vhostlab/memory';
import { DirectPublisher } from '@vhostlab/virtqueue';
import type { MemoryEnd, Ps, RegisterTarget, Ticket } from '../api.ts';
import { type Mailbox, NOTIFY } from '../mailbox.ts';
import type { CoreClock } from '../meter.ts';
import { RegisterPort } from '../register-port.ts';

/**
 * One end of a memory channel on the real clock: both sides share the memory, so a published word is stored at once.
 * Notifications and register accesses go to the other end in this thread, or to `notifyFar` when that is outside. The
 * side band of tags exists in virtual time only.
 */
export class RealMemoryEnd implements MemoryEnd {
  readonly publisher: Publisher;
  /** What the other side sends; its reader is the core of this end. */
  readonly in: Mailbox;
  readonly #out: Mailbox | undefined;
  readonly #clock: CoreClock;
  readonly #notifyFar: (vector: number) => void;
  readonly #registers: RegisterPort;
  #notified = 0;

  /** `out` undefined: the other side is no core of this thread, has no registers, and hears through `notifyFar`. */
  constructor(
    arena: Arena,
    clock: CoreClock,
    channel: { in: Mailbox; out?: Mailbox; notifyFar?: (vector: number) => void },
  ) {
    this.publisher = new DirectPublisher(arena);
    this.in = channel.in;
    this.#out = channel.out;
    this.#clock = clock;
    this.#notifyFar = channel.notifyFar ?? (() => undefined);
    this.#registers = new RegisterPort((kind, a, b) => this.#out?.push(this.#clock.nowPs, kind, a, b));
  }

  departAt(_atPs: Ps): void {}

  carryTags(_from: MemoryEnd): void {}

  notify(vector: number): void {
    if (this.#out === undefined) this.#notifyFar(vector);
    else this.#out.push(this.#clock.nowPs, NOTIFY, vector, 0);
  }

  takeNotified(): number {
    const mask = this.#notified;
    this.#notified = 0;
    return mask;
  }

  write(offset: number, width: number, value: number): void {
    this.#registers.write(offset, width, value);
  }

  read(offset: number, width: number): Ticket {
    if (this.#out === undefined) throw new Error('the other side of this memory channel has no registers');
    return this.#registers.read(offset, width);
  }

  onRegister(target: RegisterTarget): void {
    this.#registers.target = target;
  }

  setTag(_queue: number, _slot: number, _packet: number, _bornPs: Ps): void {}

  tagPacket(_queue: number, _slot: number): number {
    return -1;
  }

  tagBornPs(_queue: number, _slot: number): Ps {
    return 0;
  }

  /** Delivers everything that was sent to this end. */
  sync(): void {
    const box = this.in;
    while (box.head !== box.tail) {
      const i = box.head++ & box.mask;
      const a = box.a[i];
      if (box.kind[i] === NOTIFY) this.#notified |= 1 << a;
      else this.#registers.arrived(box.kind[i], a, box.b[i]);
    }
  }
}
