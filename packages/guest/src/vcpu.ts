import type { CoreContext, CoreModule, Procedure, Task } from '@vhostlab/engine';
import { type BringUpResult, bringUp } from './bring-up.ts';
import type { VcpuConfig } from './core-config.ts';
import { GuestPort, type PairStart } from './guest-port.ts';
import { watchDevice } from './instances/device-watch.ts';
import { InterruptSource } from './interrupt-source.ts';
import { Pausable } from './migrate/pausable.ts';
import { NapiReceiver } from './napi-receiver.ts';
import { PollReceiver, PollSource } from './poll-tasks.ts';

/** Method of the message that starts another vCPU's queue pair; its body is a `PairStart` in JSON. */
const START_PAIR = 1;
/** Method of the request to stop using the queue pair; answered when what the device completed is taken back. */
const HALT_PAIR = 2;

/** One vCPU of a guest and its queue pair; vCPU 0 brings the device up first and then starts the others. */
export const vcpuModule: CoreModule = {
  create(context: CoreContext, config: VcpuConfig): void {
    const vcpu = new Vcpu(context, config);
    if (config.boot !== undefined) {
      context.spawn('guest.init', vcpu.boot());
      return;
    }
    context.control('ipi').onRequest((method, body, reply) => {
      const done = () => reply(0, new Uint8Array(0));
      if (method === HALT_PAIR) {
        vcpu.halt(done);
        return;
      }
      vcpu.start(JSON.parse(new TextDecoder().decode(body)) as PairStart);
      done();
    });
  },
};

/** A vCPU: on the first one the driver's set-up, on each its queue pair. */
class Vcpu {
  readonly #context: CoreContext;
  readonly #config: VcpuConfig;
  #port: GuestPort | undefined;
  #resets = 0;
  #outcome: unknown = {
    ok: false,
    failure: 'unfinished',
    detail: 'the run ended before the device was up',
  };

  constructor(context: CoreContext, config: VcpuConfig) {
    this.#context = context;
    this.#config = config;
  }

  *boot(): Procedure {
    const context = this.#context;
    context.onCollect('setup', () => this.#outcome);
    const end = context.memory('pci');
    yield context.delay(context.constant('guest.bootNs') * 1000);
    const result = yield* this.#bringUp();
    if (!result.ok || this.#config.routes === undefined) return;
    watchDevice(context, end, this.#path(), result.status, () => this.#recover());
  }

  /** The device has set DEVICE_NEEDS_RESET: all queue pairs stand still, then the driver starts over (virtio 1.3, 2.1.2). */
  *#recover(): Procedure {
    const context = this.#context;
    const { scenario, boot, window } = this.#config;
    let waiting = scenario.queues;
    const halted = () => {
      waiting--;
    };
    this.halt(halted);
    const others = Array.from({ length: scenario.queues - 1 }, (_, i) =>
      context.control(`ipi${i + 1}`).request(HALT_PAIR, new Uint8Array(0)),
    );
    for (const other of others) {
      yield other;
      halted();
    }
    while (waiting > 0) yield context.delay(context.now() + HALT_LOOK_PS);
    if (boot === undefined) return;
    // the control queue starts on zeroed memory, too
    const { controlRing, controlPage } = boot.layout;
    const from = context.window(window) + controlRing;
    context.arena.u8.fill(0, from, from + controlPage - controlRing);
    context.memory('pci').publisher.cover(from, controlPage - controlRing);
    this.#resets++;
    yield* this.#bringUp();
  }

  /** Sets the device up and starts all queue pairs. */
  *#bringUp(): Procedure<BringUpResult> {
    const context = this.#context;
    const { boot, window } = this.#config;
    if (boot === undefined) throw new Error(`${context.id} does not set the device up`);
    const result = yield* bringUp(this.#path(), this.#config, boot.layout, context.window(window));
    note(context, this.#config, result);
    if (!result.ok) {
      this.#outcome = result;
      context.counter('setup.failed').value++;
      return result;
    }
    const { features, dropped, pairs } = result;
    const resets = this.#resets === 0 ? {} : { resets: this.#resets };
    this.#outcome = { ok: true, features: features.names(), dropped, ...resets };
    for (let q = 1; q < pairs.length; q++) {
      context.control(`ipi${q}`).send(START_PAIR, new TextEncoder().encode(JSON.stringify(pairs[q])));
    }
    this.start(pairs[0]);
    return result;
  }

  #path() {
    const { emulated } = this.#config;
    return { context: this.#context, end: this.#context.memory('pci'), emulated };
  }

  /** The queue pair runs, for the first time or after a reset. */
  start(start: PairStart): void {
    if (this.#port !== undefined) {
      this.#port.restart(start);
      return;
    }
    this.#port = new GuestPort(this.#context, this.#config, start);
    const task = dataTask(this.#port);
    const port = this.#port;
    this.#context.addTask(
      this.#config.arrival === undefined ? task : new Pausable(task, () => port.isPaused),
    );
  }

  /** The queue pair stands still; `done` is called when it does. */
  halt(done: () => void): void {
    if (this.#port === undefined) done();
    else this.#port.halt(done);
  }
}

/** How often the first vCPU looks whether its own queue pair stands still. */
const HALT_LOOK_PS = 1_000_000;

function note(context: CoreContext, config: VcpuConfig, result: BringUpResult): void {
  const stage = context.stage('setup');
  if (!result.ok) {
    context.recorder.note(
      stage,
      `guest ${config.guest}: ${result.failure}: ${result.detail}`,
      config.guest,
      0,
    );
    return;
  }
  const { features, dropped } = result;
  context.recorder.note(stage, `guest ${config.guest}: negotiated ${features}`, features.low, features.high);
  for (const text of dropped) context.recorder.note(stage, `guest ${config.guest}: without ${text}`, 0, 0);
}

function dataTask(port: GuestPort): Task {
  const { role, scenario } = port.config;
  const polls = scenario.guest === 'poll';
  if (role === 'source') return polls ? new PollSource(port) : new InterruptSource(port);
  return polls ? new PollReceiver(port, role) : new NapiReceiver(port, role);
}
