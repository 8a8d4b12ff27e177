import type { PluginDefinition } from '@vhostlab/backend-sdk';
import { EdgeLinkEnd, RealThread } from '@vhostlab/engine';
import { attachArena, monotonicMs, setAffinity, type ThreadInbox } from '@vhostlab/host';
import { Arena } from '@vhostlab/memory';
import type { WorkerCommand, WorkerNote, WorkerOrder } from '../control/commands.ts';
import { SharedStatistics } from '../stats/shared-statistics.ts';
import { KickWatch } from './kick-watch.ts';
import { NoWire } from './no-wire.ts';
import type { PluginConfig } from './plugin-config.ts';
import { PluginDevice } from './plugin-device.ts';
import { planPlugin } from './plugin-plan.ts';
import { VdpaVmm } from './vdpa-vmm.ts';
import { VhostChannel } from './vhost-channel.ts';
import { VhostVmm } from './vhost-vmm.ts';

/** Turns of a busy thread between two looks at everything that is not a ring. */
const CHORES_EVERY = 4096;
/** Turns of a busy thread that waits for kicks between two looks at those that came for the cores that sleep. */
const KICKS_EVERY = 16;
/** Milliseconds between two notes of the statistics. */
const REPORT_EVERY_MS = 100;
const PS_PER_MS = 1e9;

/** What the main thread says to a plugin's thread about itself; `report` is answered with the statistics of all its cores. */
export type PluginOrder = WorkerOrder | 'report';

/**
 * The thread of a plugin: its cores for every device and queue pair, and the bridge between them, turn by turn. While no
 * ring is started it sleeps.
 */
export class PluginWorker {
  readonly #inbox: ThreadInbox;
  readonly #thread: RealThread;
  readonly #devices: readonly PluginDevice[];
  readonly #kicks: KickWatch;
  /** Its cores sleep without work, and kicks wake them. */
  readonly #waits: boolean;
  /** Device and first ring of each memory channel. */
  readonly #byChannel = new Map<string, { device: PluginDevice; firstRing: number }>();
  #turns = 0;
  #isEnding = false;
  #reportAtMs = 0;

  constructor(config: PluginConfig, inbox: ThreadInbox, external?: PluginDefinition) {
    const { cpus, arena, ownOffset, ownBytes, devices, queuePairs, spec, profile } = config;
    this.#inbox = inbox;
    if (cpus.length > 0) setAffinity(cpus);
    const { components, modules, offered } = planPlugin(spec, devices, queuePairs, external);
    const mapped = new Arena(attachArena(arena.address, arena.sizeBytes).buffer);
    const own = mapped.within(ownOffset, ownBytes);
    this.#thread = new RealThread(components, modules, {
      arena: own,
      profile,
      readPs: () => monotonicMs() * PS_PER_MS,
      // guest memory is mapped anywhere in the arena, so a guest's window is all of it
      window: (id) => (id.startsWith('guest') ? 0 : undefined),
      notify: (channel, vector) => this.#call(channel, vector),
      link: () => new EdgeLinkEnd(own, new NoWire(), 1, 64),
    });
    this.#waits = components.every(({ cores }) => cores.every(({ mode }) => mode !== 'poll'));
    this.#kicks = new KickWatch(inbox.wakeNumber);
    const statistics = new SharedStatistics(devices, 2 * queuePairs, config.statistics);
    this.#devices = Array.from({ length: devices }, (_, number) => {
      const channels = Array.from(
        { length: queuePairs },
        (_, pair) => new VhostChannel(this.#thread, number, pair),
      );
      const note = (note: WorkerNote): void => inbox.note(note);
      const vmm =
        spec.plugin === 'sw-vdpa' ? new VdpaVmm(channels, offered) : new VhostVmm(channels, offered);
      const around = { arena: mapped, vmm, statistics, kicks: this.#kicks, note };
      const device = new PluginDevice(number, around);
      for (const [pair, { memory }] of channels.entries()) {
        this.#byChannel.set(memory, { device, firstRing: 2 * pair });
      }
      return device;
    });
  }

  /** Returns when the worker was told to end, with everything closed. */
  run(): void {
    const handle = (body: unknown): unknown => this.#handle(body as WorkerCommand | PluginOrder);
    const thread = this.#thread;
    while (!this.#isEnding) {
      this.#inbox.serve(handle);
      if (this.#isEnding) break;
      const isAwake = thread.turn();
      if (++this.#turns % CHORES_EVERY === 0) this.#chores();
      if (!isAwake) this.#sleep(thread.wakesPs() - thread.clock.nowPs);
      else if (this.#waits && this.#turns % KICKS_EVERY === 0) this.#kicks.sleep(0);
      else if (this.#turns % CHORES_EVERY === 0 && !this.#hasRings()) this.#sleep(Number.POSITIVE_INFINITY);
    }
    this.#kicks.close();
  }

  #handle(command: WorkerCommand | PluginOrder): unknown {
    if (command === 'ready') return undefined;
    if (command === 'report') return this.#thread.statistics();
    if (command === 'end') {
      this.#isEnding = true;
      return undefined;
    }
    const device = this.#devices[command.device];
    if (device === undefined) throw new Error(`there is no device ${command.device}`);
    return device.handle(command);
  }

  #call(channel: string, vector: number): void {
    const found = this.#byChannel.get(channel);
    found?.device.call(found.firstRing + vector);
  }

  #hasRings(): boolean {
    return this.#devices.some(({ ringCount }) => ringCount > 0);
  }

  #sleep(forPs: number): void {
    this.#report();
    this.#kicks.sleep(forPs);
  }

  #chores(): void {
    if (!this.#waits) this.#kicks.drain();
    this.#report();
  }

  #report(): void {
    const nowMs = monotonicMs();
    if (nowMs < this.#reportAtMs) return;
    this.#reportAtMs = nowMs + REPORT_EVERY_MS;
    for (const device of this.#devices) device.report();
  }
}
