import {
  type CoreContext,
  type CoreModule,
  DONE,
  IDLE,
  type LinkEnd,
  type MemoryEnd,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { type NumberedEvent, type Offloads, type PcieLink, shadowChannel } from '@vhostlab/workload';
import { readEswitchConstants, readNicConstants } from './constants.ts';
import { DmaEngine } from './dma/dma.ts';
import { Eswitch, WIRE_PORT } from './eswitch/eswitch.ts';
import type { IngressPort } from './eswitch/ingress-port.ts';
import { DmaMapper } from './function/dma-mapper.ts';
import { PciFront } from './function/pci-front.ts';
import { VdpaFront } from './function/vdpa-front.ts';
import { serveVfio } from './function/vfio-front.ts';
import { createScratch, type Scratch, VirtioFunction } from './function/virtio-function.ts';
import { HostQueues, HostReceiver } from './host/host-queues.ts';
import { checkedLength } from './link/frame-check.ts';
import { impairmentsOf } from './link/impairments.ts';
import { Nic } from './nic.ts';
import { type SteeringTarget, type Target, WireGate } from './steering.ts';
import { arrivalPs } from './wire.ts';
import { WirePort } from './wire-port.ts';

/** A queue pair of the physical function, for a driver on a host core. */
export interface HostQueueConfig {
  /** Memory channel end, and the window that addresses count from. */
  end: string;
  window: string;
  /** Longest frame that the driver's receive buffers take. */
  bufferBytes: number;
}

/** A function that a guest drives: a virtual function with virtio-pci registers, or a vDPA device. */
export interface FunctionConfig {
  kind: 'vfio' | 'vdpa';
  guest: number;
  /** Port of the bridge. */
  port: number;
  pairs: number;
  mac: number[];
  /** Of the names of its ends, in a scenario with several back ends. */
  suffix?: string;
  /** Its rings can be the VMM's own for a while: shadow virtqueues. */
  shadow?: boolean;
  /** vdpa: what it cannot do. */
  lacks?: 'suspend'[];
  /** What it offers where that differs from the device's. */
  offloads?: Offloads;
}

/** Configuration of a `nic/device` core: plain data. */
export interface DeviceConfig {
  pcie: PcieLink;
  rateGbps: number;
  /** Page size of the IOMMU's tables. */
  pageBytes: number;
  /** Window of the NIC's own memory, and its size. */
  memory: { window: string; bytes: number };
  /** Largest virtqueue. */
  maxQueueSize: number;
  offloads: Offloads;
  host: HostQueueConfig[];
  functions: FunctionConfig[];
  /** Scenarios in which the guest's back end changes: control end of the VMM, and a target per instance. */
  steering?: { end: string; instances: SteeringTarget[] };
  /** What is done to the wire; absent: nothing. */
  link?: NumberedEvent<'link'>[];
}

/** A function as the device's task sees it. */
interface FunctionDoor {
  readonly fn: VirtioFunction;
  readonly ends: readonly MemoryEnd[];
  readonly registers: MemoryEnd | undefined;
  readonly front: PciFront | undefined;
}

/** Things that happen in one run at most, so that one run stays a burst. */
const STEPS = 256;

/** The NIC: everything that is visible is handled in one run, and the next run is asked for at the next moment known. */
class DeviceTask implements Task {
  readonly name = 'nic';
  readonly #nic: Nic;
  readonly #wire: LinkEnd;
  readonly #host: HostReceiver;
  readonly #eswitch: Eswitch | undefined;
  readonly #ingress: IngressPort | undefined;
  readonly #doors: readonly FunctionDoor[];
  readonly #gate: WireGate | undefined;

  constructor(
    nic: Nic,
    wire: LinkEnd,
    host: HostReceiver,
    eswitch: Eswitch | undefined,
    doors: readonly FunctionDoor[],
    steering: (ingress: IngressPort | undefined) => WireGate | undefined,
  ) {
    this.#nic = nic;
    this.#wire = wire;
    this.#host = host;
    this.#eswitch = eswitch;
    this.#ingress = eswitch?.ingress(WIRE_PORT, true);
    this.#doors = doors;
    this.#gate = steering(this.#ingress);
  }

  run(budget: number): TaskResult {
    const now = this.#nic.now();
    this.#host.refresh();
    for (let i = 0; i < this.#doors.length; i++) this.#doorbells(this.#doors[i]);
    const late = this.#nic.advance(STEPS);
    this.#eswitch?.advance(now);
    const frames = this.#receive(budget);
    this.#host.close();
    for (let i = 0; i < this.#doors.length; i++) this.#doors[i].fn.close();
    this.#gate?.answer();
    if (late || frames === budget) return DONE;
    const next = this.#nic.nextPs;
    if (next < Number.POSITIVE_INFINITY) this.#nic.context.wakeAt(next);
    return IDLE;
  }

  #receive(budget: number): number {
    const { meter, ops, recorder, stages } = this.#nic;
    const { u8 } = this.#nic.arena;
    const wire = this.#wire;
    const now = this.#nic.now();
    const gate = this.#gate;
    const ingress = gate === undefined || gate.isOffloaded ? this.#ingress : undefined;
    let frames = 0;
    let bytes = 0;
    while (frames < budget && (gate === undefined || gate.admits(now))) {
      if (!wire.receive()) {
        gate?.caughtUp();
        break;
      }
      const { offset, meta } = wire;
      const length = checkedLength(u8, wire);
      if (length < 0) {
        this.#nic.drop('crc');
        wire.release();
        frames++;
        continue;
      }
      const arrived = arrivalPs(wire);
      if (recorder.sampled(meta.packet)) recorder.eventAt(arrived, stages.wireRx, meta.packet, 0, length);
      const at = arrived < now ? arrived : now;
      if (ingress === undefined) this.#host.receive(offset, length, meta, at);
      else ingress.input(offset, length, meta, at, false);
      wire.release();
      frames++;
      bytes += length;
    }
    if (frames > 0) meter.book(ops.wireRx, frames, bytes, 0);
    return frames;
  }

  #doorbells(door: FunctionDoor): void {
    const { ends, fn, front, registers } = door;
    for (let i = 0; i < ends.length; i++) {
      const rung = ends[i].takeNotified();
      const pair = i % fn.pairs;
      if (rung === 0) continue;
      if ((rung & 1) !== 0) fn.doorbell(pair * 2);
      if ((rung & 2) !== 0) fn.doorbell(pair * 2 + 1);
    }
    if (registers !== undefined && registers.takeNotified() !== 0) front?.controlDoorbell();
  }
}

/** Core module `nic/device`. */
export const deviceModule: CoreModule = {
  create(context: CoreContext, config: DeviceConfig): void {
    const constants = readNicConstants(context, config.pcie);
    const { arena, meter } = context;
    const dma = new DmaEngine(arena, constants, config.pageBytes, meter, context.op('nic.iotlb_miss'));
    const memory = arena.within(context.window(config.memory.window), config.memory.bytes);
    const nic = new Nic(context, constants, dma, memory);
    const link = context.link('wire');
    const wire = new WirePort(
      nic,
      link,
      config.rateGbps,
      context.constant('nic.txBufferBytes'),
      impairmentsOf(context, config.link),
    );
    const scratch = createScratch(nic);
    const hosts = config.host.map(
      ({ end, window, bufferBytes }) =>
        new HostQueues(nic, {
          end: context.memory(end),
          base: context.window(window),
          bufferBytes,
          port: wire,
          staging: scratch.staging,
        }),
    );
    const eswitch = config.functions.length > 0 ? createEswitch(nic, wire) : undefined;
    const doors =
      eswitch === undefined
        ? []
        : config.functions.map((fn, i) => createFunction(nic, eswitch, scratch, config, fn, i + 1));
    const host = new HostReceiver(nic, hosts);
    const gate = (ingress: IngressPort | undefined) =>
      config.steering === undefined
        ? undefined
        : new WireGate(nic, link, {
            control: context.control(config.steering.end),
            host,
            eswitch,
            ingress,
            targets: config.steering.instances.map((target) => targetOf(config, target, hosts, doors)),
          });
    context.addTask(new DeviceTask(nic, link, host, eswitch, doors, gate));
    context.onCollect('nic', () => ({
      pcie: {
        upBytes: dma.pcie.upBytes,
        downBytes: dma.pcie.downBytes,
        reads: dma.pcie.reads,
        writes: dma.pcie.writes,
        stalledPs: dma.pcie.stalledPs,
      },
      iotlb: { hits: dma.iotlb.hits, misses: dma.iotlb.misses, evictions: dma.iotlb.evictions },
      wire: { frames: wire.sender.frames, bytes: wire.sender.bytes },
      ...(eswitch === undefined
        ? {}
        : {
            eswitch: {
              flows: eswitch.datapath.flows.count,
              refused: eswitch.datapath.refused,
              upcalls: eswitch.desk.asked,
              installed: eswitch.desk.installed,
            },
          }),
    }));
  },
};

function targetOf(
  config: DeviceConfig,
  target: SteeringTarget,
  hosts: readonly HostQueues[],
  doors: readonly FunctionDoor[],
): Target {
  const queues = hosts.filter((_, i) => target.host.includes(config.host[i].end));
  const at =
    target.functionSuffix === undefined
      ? -1
      : config.functions.findIndex(({ suffix = '' }) => suffix === target.functionSuffix);
  return { queues, fn: doors[at]?.fn, port: config.functions[at]?.port ?? 0 };
}

function createEswitch(nic: Nic, wire: WirePort): Eswitch {
  const { context } = nic;
  const idlePs = Math.round(context.constant('flow.idleTimeoutNs') * 1000);
  return new Eswitch(nic, readEswitchConstants(context), wire, context.control('switch'), idlePs);
}

function createFunction(
  nic: Nic,
  eswitch: Eswitch,
  scratch: Scratch,
  config: DeviceConfig,
  own: FunctionConfig,
  number: number,
): FunctionDoor {
  const { context } = nic;
  const { guest, suffix = '', offloads = config.offloads } = own;
  const ends = Array.from({ length: own.pairs }, (_, pair) => context.memory(`vq.${guest}.${pair}${suffix}`));
  let front: PciFront | VdpaFront | undefined;
  const fn = new VirtioFunction(nic, eswitch, {
    number,
    port: own.port,
    ends,
    scratch,
    interrupt: (index) => front?.interrupt(index),
    onBroken: () => front?.onBroken(),
  });
  const mapper = new DmaMapper(context, fn.domain, suffix);
  const shadowEnds = own.shadow
    ? Array.from({ length: own.pairs }, (_, pair) => context.memory(shadowChannel(guest, pair)))
    : [];
  const common = { guest, mac: own.mac, offloads, speedMbps: config.rateGbps * 1000, ends };
  if (own.kind === 'vdpa') {
    front = new VdpaFront(nic, fn, mapper, context.control(`vdpa${guest}${suffix}`), {
      ...common,
      shadowEnds,
      lacks: own.lacks ?? [],
    });
    return { fn, ends: [...ends, ...shadowEnds], registers: undefined, front: undefined };
  }
  const registers = context.memory(`pci${guest}${suffix}`);
  const pci = new PciFront(nic, fn, { ...common, registers, maxQueueSize: config.maxQueueSize, scratch });
  front = pci;
  serveVfio(nic, context.control(`vfio${guest}${suffix}`), mapper);
  return { fn, ends, registers, front: pci };
}
