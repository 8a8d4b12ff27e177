import type { ControlEnd, Ps, Ticket } from './api.ts';
import type { ChannelTap } from './channel-tap.ts';
import { type Mailbox, REPLY, REQUEST, SEND } from './mailbox.ts';
import type { CoreClock } from './meter.ts';
import { EngineTicket } from './ticket.ts';

type Handler = (method: number, body: Uint8Array, reply: (status: number, body: Uint8Array) => void) => void;

/** One end of a control channel on mailboxes, for both clocks: requests answered in any order, matched by number. */
export class ChannelControlEnd implements ControlEnd {
  readonly out: Mailbox;
  readonly in: Mailbox;
  readonly #clock: CoreClock;
  readonly #name: string;
  readonly #tap: ChannelTap | undefined;
  readonly #waiting = new Map<number, EngineTicket>();
  #next = 1;
  #handler: Handler | undefined;

  constructor(name: string, clock: CoreClock, out: Mailbox, inbox: Mailbox, tap?: ChannelTap) {
    this.#name = name;
    this.#clock = clock;
    this.out = out;
    this.in = inbox;
    this.#tap = tap;
  }

  request(method: number, body: Uint8Array): Ticket {
    const ticket = new EngineTicket(false);
    const id = this.#next++;
    this.#waiting.set(id, ticket);
    this.#tap?.message('request', method, body);
    this.out.push(this.#clock.nowPs, REQUEST, method, id, body);
    return ticket;
  }

  send(method: number, body: Uint8Array): void {
    this.#tap?.message('send', method, body);
    this.out.push(this.#clock.nowPs, SEND, method, 0, body);
  }

  onRequest(handler: Handler): void {
    this.#handler = handler;
  }

  /** Delivers everything that is visible at `nowPs`; true when there was something. */
  sync(nowPs: Ps): boolean {
    const box = this.in;
    let woken = false;
    while (box.head !== box.tail) {
      const i = box.head & box.mask;
      if (box.atPs[i] > nowPs) break;
      box.head++;
      woken = true;
      const payload = box.payload[i] ?? new Uint8Array(0);
      box.payload[i] = undefined;
      const kind = box.kind[i];
      const a = box.a[i];
      const id = box.b[i];
      if (kind === REPLY) {
        const ticket = this.#waiting.get(id);
        if (ticket === undefined) throw new Error(`${this.#name}: request ${id} answered twice`);
        this.#waiting.delete(id);
        ticket.complete(a, payload);
        continue;
      }
      if (this.#handler === undefined)
        throw new Error(`${this.#name}: a request arrived and nobody serves it`);
      this.#handler(a, payload, (status, body) => {
        if (kind !== REQUEST) return;
        this.#tap?.message('reply', status, body);
        this.out.push(this.#clock.nowPs, REPLY, status, id, body);
      });
    }
    return woken;
  }
}
