import {
  readVhostReply,
  sendVhostRequest,
  type VhostReply,
  type VhostRequestInit,
} from '@vhostlab/backend-sdk';
import type { RealThread } from '@vhostlab/engine';
import type { RingReport } from './vmm.ts';

/** The VMM's end of one queue pair's channels: requests are answered before the caller goes on. */
export class VhostChannel {
  /** Names of the pair's memory channel and window. */
  readonly memory: string;
  readonly window: string;
  readonly #thread: RealThread;
  readonly #requests: string;

  /** `requests`: the control channel of the pair, by default one of its own. */
  constructor(thread: RealThread, device: number, pair: number, requests = `vhost.${device}.${pair}`) {
    this.#thread = thread;
    this.#requests = requests;
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

  /** Stops a ring; where it stands. */
  base(index: number): number {
    const { answer } = this.tell({ case: 'getVringBase', value: { index } });
    if (answer.case !== 'vringBase') throw new Error(`the base of ring ${index} is a ${answer.case}`);
    return answer.value.base;
  }

  /** What a ring has done. */
  report(index: number): RingReport {
    const { answer } = this.tell({ case: 'getVringState', value: { index } });
    if (answer.case !== 'vringState') throw new Error(`the state of ring ${index} is a ${answer.case}`);
    const { frames, bytes, calls, callsSuppressed, base, violation, running } = answer.value;
    return {
      running,
      base,
      violation,
      frames: Number(frames),
      bytes: Number(bytes),
      calls: Number(calls),
      callsSuppressed: Number(callsSuppressed),
    };
  }

  /** A kick of the pair's ring `vector`. */
  kick(vector: number): void {
    this.#thread.notified(this.memory, vector);
  }
}
