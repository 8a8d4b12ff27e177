import type { ControlEnd, CoreContext, CoreModule, Procedure, Task } from '@vhostlab/engine';
import { readRegister, writeRegister } from '@vhostlab/virtio-net';
import { bringUp } from '../bring-up.ts';
import { FrameFeeder } from '../frame-feeder.ts';
import { FrameSink } from '../frame-sink.ts';
import { GuestPort, type PairStart } from '../guest-port.ts';
import { InterruptSource } from '../interrupt-source.ts';
import { NapiReceiver } from '../napi-receiver.ts';
import { PollReceiver, PollSource } from '../poll-tasks.ts';
import { accessRegisters } from '../register-path.ts';
import { type FailoverConfig, PLUG, UNPLUG, UNPLUGGED } from './failover-config.ts';

/** Messages between vCPUs: a queue pair starts, is left, is forgotten, is the one to send on. */
const START = 1;
const LEAVE = 2;
const FORGET = 3;
const ACTIVATE = 4;

/** What a device that is unplugged gets to send what it has. */
const LEAVE_PS = 5_000_000_000;
const LOOK_PS = 1_000_000;
const RESET_POLLS = 1000;
const NOTHING = new Uint8Array(0);

/** The queue pairs of one vCPU, one per device: all receive, one sends. */
class Bond {
  readonly #context: CoreContext;
  readonly #config: FailoverConfig;
  readonly #ports: (GuestPort | undefined)[] = [];
  #active = -1;
  #feeder: FrameFeeder | undefined;
  #sink: FrameSink | undefined;

  constructor(context: CoreContext, config: FailoverConfig) {
    this.#context = context;
    this.#config = config;
  }

  /** The queue pair of a device was set up; `opened` is called when it has receive buffers. */
  start(device: number, start: PairStart, opened: () => void): void {
    const known = this.#ports[device];
    if (known !== undefined) {
      known.onOpened = opened;
      known.restart(start);
      return;
    }
    const port = new GuestPort(this.#context, this.#config.devices[device].port, start);
    port.onOpened = opened;
    port.isActive = false;
    this.#ports[device] = port;
    this.#context.addTask(this.#taskOf(port));
  }

  /** What is sent from now on goes out on this device. */
  activate(device: number): void {
    const next = this.#ports[device];
    if (next === undefined) return;
    const before = this.#ports[this.#active];
    if (before !== undefined) before.isActive = false;
    this.#active = device;
    next.isActive = true;
    if (this.#feeder !== undefined) this.#feeder.port = next;
  }

  /** Nothing is sent on the device any more; `done` is called when what was sent has left. */
  leave(device: number, done: () => void): void {
    const port = this.#ports[device];
    if (port === undefined) done();
    else port.leave(this.#context.now() + LEAVE_PS, done);
  }

  /** The device is gone: what it still had is lost. */
  forget(device: number): void {
    this.#ports[device]?.forget();
  }

  #taskOf(port: GuestPort): Task {
    const { role, scenario } = port.config;
    const polls = scenario.guest === 'poll';
    if (role === 'source') {
      this.#feeder ??= new FrameFeeder(port);
      return polls ? new PollSource(port, this.#feeder) : new InterruptSource(port, this.#feeder);
    }
    if (role === 'sink') this.#sink ??= new FrameSink(port);
    return polls ? new PollReceiver(port, role, this.#sink) : new NapiReceiver(port, role, this.#sink);
  }
}

/** The driver on the first vCPU: sets devices up and takes them down, on all vCPUs. */
class Failover {
  readonly #context: CoreContext;
  readonly #config: FailoverConfig;
  readonly #bond: Bond;
  readonly #others: readonly ControlEnd[];
  readonly #status: number[] = [];
  #outcome: unknown = { ok: false, failure: 'unfinished', detail: 'the run ended before the device was up' };

  constructor(context: CoreContext, config: FailoverConfig, bond: Bond) {
    this.#context = context;
    this.#config = config;
    this.#bond = bond;
    const { queues } = config.devices[0].port.scenario;
    this.#others = Array.from({ length: queues - 1 }, (_, i) => context.control(`ipi${i + 1}`));
    context.onCollect('setup', () => this.#outcome);
    context.control('plug').onRequest((method, [device], reply) => {
      context.spawn('guest.hotplug', this.#serve(method, device, reply));
    });
  }

  /** Power-on: the standby device, then the primary one. */
  *boot(): Procedure {
    const { devices, primary } = this.#config;
    yield this.#context.delay(this.#context.constant('guest.bootNs') * 1000);
    yield* this.#plug(devices.findIndex(({ name }) => name === 'standby'));
    yield* this.#plug(devices.findIndex(({ name }) => name === primary));
  }

  *#serve(method: number, device: number, reply: (status: number, body: Uint8Array) => void): Procedure {
    let ok = true;
    if (method === PLUG) ok = yield* this.#plug(device);
    else if (method === UNPLUG) yield* this.#unplug(device);
    else if (method === UNPLUGGED) yield* this.#forget(device);
    reply(ok ? 0 : 5, NOTHING);
  }

  /** Sets a device up, opens its queue pairs and sends on it. */
  *#plug(device: number): Procedure<boolean> {
    const context = this.#context;
    const { port, layout, name } = this.#config.devices[device];
    const result = yield* bringUp(this.#path(device), port, layout, context.window(port.window));
    const stage = context.stage('setup');
    if (!result.ok) {
      context.counter('setup.failed').value++;
      context.recorder.note(stage, `guest ${port.guest}, ${name}: ${result.failure}: ${result.detail}`, 0, 0);
      this.#outcome = result;
      return false;
    }
    const { features, dropped, pairs, status } = result;
    this.#status[device] = status;
    context.recorder.note(
      stage,
      `guest ${port.guest}, ${name}: negotiated ${features}`,
      features.low,
      features.high,
    );
    if (name !== 'standby') this.#outcome = { ok: true, features: features.names(), dropped };
    let opened = false;
    this.#bond.start(device, pairs[0], () => {
      opened = true;
    });
    yield* this.#tell(START, device, (q) => new TextEncoder().encode(JSON.stringify(pairs[q])));
    while (!opened) yield context.delay(context.now() + LOOK_PS);
    yield* this.#activate(device);
    return true;
  }

  /** Sends on the standby device; then the device has nothing to send any more. */
  *#unplug(device: number): Procedure {
    const context = this.#context;
    yield* this.#activate(this.#config.devices.findIndex(({ name }) => name === 'standby'));
    let left = false;
    this.#bond.leave(device, () => {
      left = true;
    });
    yield* this.#tell(LEAVE, device);
    while (!left) yield context.delay(context.now() + LOOK_PS);
  }

  /** The device is gone. One that the VMM does not emulate is reset first: it writes to memory until then. */
  *#forget(device: number): Procedure {
    const { port, layout } = this.#config.devices[device];
    if (!port.emulated) {
      const path = this.#path(device);
      const status = this.#status[device];
      yield* accessRegisters(path, writeRegister(status, 1, 0));
      for (let poll = 0; poll < RESET_POLLS; poll++) {
        if ((yield* accessRegisters(path, readRegister(status, 1))) === 0) break;
      }
    }
    this.#bond.forget(device);
    yield* this.#tell(FORGET, device);
    const from = this.#context.window(port.window) + layout.controlRing;
    this.#context.arena.u8.fill(0, from, from + layout.controlPage - layout.controlRing);
    const end = this.#context.memory(this.#config.devices[device].pci);
    end.publisher.cover(from, layout.controlPage - layout.controlRing);
  }

  *#activate(device: number): Procedure {
    this.#bond.activate(device);
    yield* this.#tell(ACTIVATE, device);
  }

  /** Tells the other vCPUs and waits until all of them have done it. */
  *#tell(method: number, device: number, more: (q: number) => Uint8Array = () => NOTHING): Procedure {
    const asked = this.#others.map((other, i) =>
      other.request(method, Uint8Array.of(device, ...more(i + 1))),
    );
    for (const ticket of asked) yield ticket;
  }

  #path(device: number) {
    const { pci, port } = this.#config.devices[device];
    return { context: this.#context, end: this.#context.memory(pci), emulated: port.emulated };
  }
}

/** Core module `guest/failover`. */
export const failoverModule: CoreModule = {
  create(context: CoreContext, config: FailoverConfig): void {
    const bond = new Bond(context, config);
    if (config.queue === 0) {
      context.spawn('guest.init', new Failover(context, config, bond).boot());
      return;
    }
    context.control('ipi').onRequest((method, body, reply) => {
      const done = () => reply(0, NOTHING);
      const [device] = body;
      if (method === START) {
        bond.start(device, JSON.parse(new TextDecoder().decode(body.subarray(1))) as PairStart, done);
      } else if (method === LEAVE) bond.leave(device, done);
      else {
        if (method === FORGET) bond.forget(device);
        if (method === ACTIVATE) bond.activate(device);
        done();
      }
    });
  },
};
