import type { ControlEnd, LinkEnd, Ps } from '@vhostlab/engine';
import { STEER_FLUSH, STEER_HOLD, STEER_TO } from '@vhostlab/workload';
import type { Eswitch } from './eswitch/eswitch.ts';
import type { IngressPort } from './eswitch/ingress-port.ts';
import type { VirtioFunction } from './function/virtio-function.ts';
import type { HostQueues, HostReceiver } from './host/host-queues.ts';
import type { Nic, TimerOwner } from './nic.ts';

/** Where frames of the wire go while an instance has the guest's device: plain data. */
export interface SteeringTarget {
  /** Channel ends of its host drivers' queues. */
  host: string[];
  /** Its function, by the suffix of its ends; absent: it has none. */
  functionSuffix?: string;
}

/** A target with its parts. */
export interface Target {
  readonly queues: readonly HostQueues[];
  readonly fn: VirtioFunction | undefined;
  /** Port of the bridge behind which the function is. */
  readonly port: number;
}

interface Waiting {
  readonly method: number;
  readonly reply: (status: number, body: Uint8Array) => void;
}

const NOTHING = new Uint8Array(0);
const EINVAL = 22;
/**
 * A port that goes on takes what waits no faster than there is room and 1.6 million frames a second, for so long; then as
 * always. Without that a long pause would end in a burst that overruns the guest's ring.
 */
const CATCH_UP_PS = 1_000_000_000;
const WINDOW_PS = 5_000_000;
const WINDOW_FRAMES = 8;

/**
 * Which back end's queues the port feeds, and the port's pause while that changes: frames wait on the wire and at their
 * sender, none is lost in the NIC.
 */
export class WireGate implements TimerOwner {
  readonly #nic: Nic;
  readonly #wire: LinkEnd;
  readonly #host: HostReceiver;
  readonly #eswitch: Eswitch | undefined;
  readonly #ingress: IngressPort | undefined;
  readonly #targets: readonly Target[];
  readonly #waiting: Waiting[] = [];
  readonly #timer: number;
  #present = 0;
  #held = false;
  #catchUpUntilPs: Ps = 0;
  #retries = false;
  /** Frames that the present window may still take. */
  #left = WINDOW_FRAMES;

  constructor(
    nic: Nic,
    wire: LinkEnd,
    parts: {
      control: ControlEnd;
      host: HostReceiver;
      eswitch: Eswitch | undefined;
      ingress: IngressPort | undefined;
      targets: readonly Target[];
    },
  ) {
    this.#nic = nic;
    this.#wire = wire;
    this.#host = parts.host;
    this.#eswitch = parts.eswitch;
    this.#ingress = parts.ingress;
    this.#targets = parts.targets;
    this.#timer = nic.register(this);
    this.#steer(0);
    parts.control.onRequest((method, body, reply) => this.#request(method, body, reply));
  }

  /** True when frames of the wire go through the embedded switch. */
  get isOffloaded(): boolean {
    return this.#targets[this.#present].fn !== undefined;
  }

  /** True when the next frame of the wire may be taken. */
  admits(nowPs: Ps): boolean {
    if (this.#held) return false;
    if (nowPs >= this.#catchUpUntilPs) return true;
    if (this.#left > 0 && this.#hasRoom(nowPs)) {
      this.#left--;
      return true;
    }
    this.#wire.listens = false;
    if (!this.#retries) {
      this.#retries = true;
      this.#nic.later(nowPs + WINDOW_PS, this.#timer, 0);
    }
    return false;
  }

  /** The wire was empty: what waited is through. */
  caughtUp(): void {
    this.#catchUpUntilPs = 0;
  }

  due(): void {
    this.#retries = false;
    this.#left = WINDOW_FRAMES;
    if (!this.#held) this.#wire.listens = true;
  }

  /** Answers requests whose condition holds; called at the end of every run. */
  answer(): void {
    for (let i = 0; i < this.#waiting.length; ) {
      const { method, reply } = this.#waiting[i];
      if (method === STEER_HOLD ? this.#isReceived() : this.#isSent()) {
        this.#waiting.splice(i, 1);
        reply(0, NOTHING);
      } else i++;
    }
  }

  #request(method: number, body: Uint8Array, reply: Waiting['reply']): void {
    if (method === STEER_HOLD) {
      this.#held = true;
      this.#wire.listens = false;
      this.#waiting.push({ method, reply });
    } else if (method === STEER_FLUSH) {
      this.#waiting.push({ method, reply });
    } else if (method === STEER_TO && body.length === 1 && body[0] < this.#targets.length) {
      this.#steer(body[0]);
      this.#held = false;
      this.#wire.listens = true;
      this.#catchUpUntilPs = this.#nic.now() + CATCH_UP_PS;
      reply(0, NOTHING);
    } else reply(EINVAL, NOTHING);
  }

  #steer(index: number): void {
    this.#present = index;
    const { queues, fn, port } = this.#targets[index];
    this.#host.select(queues);
    if (fn !== undefined) this.#eswitch?.attach(port, fn);
    this.#nic.recorder.note(this.#nic.stages.setup, 'port steered to instance', index, queues.length);
  }

  #isReceived(): boolean {
    const { fn, queues } = this.#targets[this.#present];
    return fn === undefined ? queues.every(({ isReceived }) => isReceived) : this.#ingress?.waiting === 0;
  }

  #isSent(): boolean {
    const { fn, queues } = this.#targets[this.#present];
    return fn === undefined ? queues.every(({ isSent }) => isSent) : fn.isSent;
  }

  #hasRoom(nowPs: Ps): boolean {
    const { fn, queues } = this.#targets[this.#present];
    if (fn === undefined) return queues.every(({ rx }) => rx === undefined || rx.hasDescriptor);
    return this.#eswitch?.hasCapacity(nowPs) === true && this.#ingress?.isRoomy === true && fn.hasBuffers;
  }
}
