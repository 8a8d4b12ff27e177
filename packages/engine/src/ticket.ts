import type { Ps, Ticket } from './api.ts';

const NOTHING = new Uint8Array(0);

/** A ticket that a message or a moment completes. */
export class EngineTicket implements Ticket {
  done = false;
  value = 0;
  bytes: Uint8Array = NOTHING;
  readonly holds: boolean;
  readonly atPs: Ps;

  constructor(holds: boolean, atPs: Ps = Number.POSITIVE_INFINITY) {
    this.holds = holds;
    this.atPs = atPs;
  }

  complete(value: number, bytes?: Uint8Array): void {
    this.done = true;
    this.value = value;
    if (bytes !== undefined) this.bytes = bytes;
  }
}
