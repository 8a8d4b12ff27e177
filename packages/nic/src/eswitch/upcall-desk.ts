import {
  type Datapath,
  decodeUpcallReply,
  encodeUpcall,
  KEY_WORDS,
  METHOD_UPCALL,
  STATUS_OK,
} from '@vhostlab/datapath';
import type { ControlEnd, Ps, Ticket } from '@vhostlab/engine';
import type { Nic } from '../nic.ts';

/** The representor's way to the switch service: so many frames may be up there at a time. */
export class UpcallDesk {
  /** Upcalls sent, and flows that their answers installed. */
  asked = 0;
  installed = 0;
  readonly #nic: Nic;
  readonly #datapath: Datapath;
  readonly #control: ControlEnd;
  readonly #limit: number;
  #outstanding = 0;

  constructor(nic: Nic, datapath: Datapath, control: ControlEnd, limit: number) {
    this.#nic = nic;
    this.#datapath = datapath;
    this.#control = control;
    this.#limit = limit;
  }

  /** Sends a frame up; undefined when too many are up there. */
  ask(keys: Uint32Array, at: number, hash: number, offset: number, length: number): Ticket | undefined {
    if (this.#outstanding >= this.#limit) return undefined;
    this.#outstanding++;
    this.asked++;
    const { arena, meter, ops } = this.#nic;
    meter.book(ops.representor, 1, length, 0);
    const body = encodeUpcall({
      key: keys.slice(at, at + KEY_WORDS),
      hash,
      frameBytes: length,
      frame: arena.u8.slice(offset, offset + length),
    });
    return this.#control.request(METHOD_UPCALL, body);
  }

  /** Takes an answer: installs its flow and answers the program for the frame, undefined when there is none. */
  take(ticket: Ticket, nowPs: Ps): Uint32Array | undefined {
    this.#outstanding--;
    if (ticket.value !== STATUS_OK) return undefined;
    const reply = decodeUpcallReply(ticket.bytes);
    if (reply === undefined) return undefined;
    if (reply.put !== undefined && this.#datapath.put(reply.put, nowPs) === STATUS_OK) {
      const { meter, ops, recorder, stages } = this.#nic;
      this.installed++;
      meter.book(ops.insert, 1, 0, 0);
      recorder.note(stages.insert, 'flow', this.#datapath.flows.count, 0);
    }
    return reply.program;
  }
}
