import { closeAll, eventFd, type Fd } from '@vhostlab/host';

/** Eventfds of one ring for one connection: another back end gets others, so that an old one cannot take its kicks. */
export class RingEvents {
  readonly kick: Fd = eventFd();
  readonly call: Fd = eventFd();
  readonly err: Fd = eventFd();

  close(): void {
    closeAll([this.kick, this.call, this.err]);
  }
}
