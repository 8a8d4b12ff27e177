import {
  readVhostReply,
  sendVhostRequest,
  type VhostReply,
  type VhostRequestInit,
} from '@vhostlab/backend-sdk';
import type { RealThread } from '@vhostlab/engine';

/** The VMM's end of one queue pair's channels: requests are answered before the caller goes on. */
export class VhostChannel {
  /** Names of the pair's memory channel and window. */
  readonly memory: string;
  readonly window: string;
  readonly #thread: RealThread;
  readonly #requests: string;

  constructor(thread: RealThread, device: number, pair: number) {
    this.#thread = thread;
    this.#requests = `vhost.${device}.${pair}`;
    this.memory = `vq.${device}.${pair}`;
    this.window = `guest${device}`;
  }

  /** Asks, and runs the thread until there is an answer: with an error above 0 it is a refusal. */
  ask(request: VhostRequestInit): VhostReply {
    const ticket = sendVhostRequest(this.#thread.control(this.#requests), request);
    return readVhostReply(this.#thread.settle(ticket));
  }

  /** The same for what the session has made sure of; throws when it is refused all the same. */
  tell(request: VhostRequestInit): VhostReply {
    const reply = this.ask(request);
    if (reply.error !== 0) throw new Error(`${this.#requests}: ${request.case} refused: ${reply.reason}`);
    return reply;
  }

  /** A kick of the pair's ring `vector`. */
  kick(vector: number): void {
    this.#thread.notified(this.memory, vector);
  }
}
