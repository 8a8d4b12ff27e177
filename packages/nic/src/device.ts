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
import type { NumberedEvent, Offloads, PcieLink } from '@vhostlab/workload';
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

  constructor(
    nic: Nic,
    wire: LinkEnd,
    host: HostReceiver,
    eswitch: Eswitch | undefined,
    doors: FunctionDoor[],
  ) {
    this.#nic = nic;
    this.#wire = wire;
    this.#host = host;
    this.#eswitch = eswitch;
    this.#ingress = eswitch?.ingress(WIRE_PORT, true);
    this.#doors = doors;
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
    let frames = 0;
    let bytes = 0;
    while (frames < budget && wire.receive()) {
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
      if (this.#ingress === undefined) this.#host.receive(offset, length, meta, at);
      else this.#ingress.input(offset, length, meta, at, false);
      wire.release();
      frames++;
      bytes += length;
    }
    if (frames > 0) meter.book(ops.wireRx, frames, bytes, 0);
    return frames;
  }

  #doorbells(door: FunctionDoor): void {
    const { ends, fn, front, registers } = door;
    for (let pair = 0; pair < ends.length; pair++) {
      const rung = ends[pair].takeNotified();
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
        : config.functions.map((fn) => createFunction(nic, eswitch, scratch, config, fn));
    context.addTask(new DeviceTask(nic, link, new HostReceiver(nic, hosts), eswitch, doors));
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
): FunctionDoor {
  const { context } = nic;
  const { guest } = own;
  const ends = Array.from({ length: own.pairs }, (_, pair) => context.memory(`vq.${guest}.${pair}`));
  let front: PciFront | VdpaFront | undefined;
  const fn = new VirtioFunction(nic, eswitch, {
    number: guest + 1,
    port: own.port,
    ends,
    scratch,
    interrupt: (index) => front?.interrupt(index),
    onBroken: () => front?.onBroken(),
  });
  const mapper = new DmaMapper(context, fn.domain);
  const common = { guest, mac: own.mac, offloads: config.offloads, speedMbps: config.rateGbps * 1000, ends };
  if (own.kind === 'vdpa') {
    front = new VdpaFront(nic, fn, mapper, context.control(`vdpa${guest}`), common);
    return { fn, ends, registers: undefined, front: undefined };
  }
  const registers = context.memory(`pci${guest}`);
  const pci = new PciFront(nic, fn, { ...common, registers, maxQueueSize: config.maxQueueSize, scratch });
  front = pci;
  serveVfio(nic, context.control(`vfio${guest}`), mapper);
  return { fn, ends, registers, front: pci };
}
