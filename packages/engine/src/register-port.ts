import type { RegisterTarget, Ticket } from './api.ts';
import type { ChannelTap } from './channel-tap.ts';
import { REGISTER_READ, REGISTER_REPLY, REGISTER_WRITE } from './mailbox.ts';
import { EngineTicket } from './ticket.ts';

/** Sends a register message to the other end of the channel. */
type Send = (kind: number, a: number, b: number) => void;

/** Register accesses over a memory channel, both sides: those that this end makes and those that reach it. */
export class RegisterPort {
  /** Serves the accesses that arrive; without one a read answers 0. */
  target: RegisterTarget | undefined;
  readonly #send: Send;
  readonly #tap: ChannelTap | undefined;
  readonly #reads = new Map<number, EngineTicket>();
  #nextRead = 1;

  constructor(send: Send, tap?: ChannelTap) {
    this.#send = send;
    this.#tap = tap;
  }

  write(offset: number, width: number, value: number): void {
    this.#tap?.register('write', offset, width, value);
    this.#send(REGISTER_WRITE, offset * 16 + width, value);
  }

  read(offset: number, width: number): Ticket {
    const ticket = new EngineTicket(true);
    const id = this.#nextRead++;
    this.#reads.set(id, ticket);
    this.#send(REGISTER_READ, offset * 16 + width, id);
    return ticket;
  }

  /** Takes a REGISTER_… message of the other end. */
  arrived(kind: number, a: number, b: number): void {
    if (kind === REGISTER_REPLY) {
      const ticket = this.#reads.get(b);
      if (ticket === undefined) throw new Error(`register read ${b} answered twice`);
      this.#reads.delete(b);
      ticket.complete(a);
      return;
    }
    const offset = Math.floor(a / 16);
    const width = a - offset * 16;
    if (kind === REGISTER_WRITE) this.target?.writeRegister(offset, width, b);
    else if (kind === REGISTER_READ) {
      const value = this.target?.readRegister(offset, width) ?? 0;
      this.#tap?.register('read', offset, width, value);
      this.#send(REGISTER_REPLY, value, b);
    }
  }
}
