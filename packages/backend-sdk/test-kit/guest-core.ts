import {
  BARRIER,
  type CoreContext,
  type CoreModule,
  DONE,
  IDLE,
  type Procedure,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { FeatureSet } from '@vhostlab/virtio-net';
import { type DriverQueue, PackedDriver, type RingFormat, SplitDriver } from '@vhostlab/virtqueue';
import { askVhost } from '../src/index.ts';
import { GPA_BASE, guestLayout, USER_BASE } from './guest-memory.ts';
import { GuestReceiver, type ReceiveConfig, type ReceivedFrame } from './guest-receiver.ts';
import { GuestSender, type SendConfig } from './guest-sender.ts';

/** One queue pair of a guest for tests: driver and VMM on one core. */
export interface GuestCoreConfig {
  guest: number;
  pair: number;
  format: RingFormat;
  size: number;
  /** Names of the negotiated features. */
  features: string[];
  send: SendConfig;
  receive: ReceiveConfig;
  /** True: sleeps until it is called. False: polls and asks for no calls. */
  interrupts: boolean;
  /** Publishes an absurd available index on the transmit ring once everything is sent. */
  breaksRing: boolean;
}

/** What the core collects as `guest`. */
export interface GuestCoreResult {
  received: ReceivedFrame[];
  /** Answers to set-up requests that were not 0. */
  refused: string[];
}

const FRESH_PACKED_BASE = 0x8000_8000;

/** Drives one queue pair: fills the receive ring, sends what is due, keeps what arrives. */
class GuestDriver implements Task {
  readonly name = 'test.guest';
  readonly #context: CoreContext;
  readonly #config: GuestCoreConfig;
  readonly #rings: readonly [DriverQueue, DriverQueue];
  readonly #receiver: GuestReceiver;
  readonly #sender: GuestSender;
  readonly #availableIndexAt: number;
  #checks = false;
  #armed = false;
  #broken = false;

  constructor(context: CoreContext, config: GuestCoreConfig, rings: readonly [DriverQueue, DriverQueue]) {
    this.#context = context;
    this.#config = config;
    this.#rings = rings;
    const base = context.window(`guest${config.guest}`);
    const layout = guestLayout(config.format, config.size);
    this.#receiver = new GuestReceiver(context, rings[0], base, layout, config);
    this.#sender = new GuestSender(context, rings[1], base, layout, config);
    this.#availableIndexAt = base + layout.rings[1].driver + 2;
    if (!config.interrupts) for (const ring of rings) ring.disableInterrupts();
  }

  get received(): ReceivedFrame[] {
    return this.#receiver.frames;
  }

  run(): TaskResult {
    const end = this.#context.memory('vq');
    if (this.#checks) {
      this.#checks = false;
      this.#rings.forEach((ring, vector) => {
        if (!ring.shouldKick()) return;
        this.#context.counter('kicks').value++;
        end.notify(vector);
      });
      return DONE;
    }
    if (end.takeNotified() !== 0) this.#context.counter('called').value++;
    this.#context.meter.charge(this.#context.op('guest.poll_empty'), 1, 0);
    const received = this.#receiver.run();
    const sent = this.#sender.run();
    if (received || sent) {
      this.#armed = false;
      for (const ring of this.#rings) ring.publish();
      this.#checks = true;
      return BARRIER;
    }
    if (this.#config.breaksRing && !this.#broken && this.#sender.finished) {
      this.#broken = true;
      end.publisher.u16(this.#availableIndexAt, 0x7777);
      return DONE;
    }
    if (this.#config.interrupts && !this.#armed) {
      this.#armed = true;
      for (const ring of this.#rings) ring.enableInterrupts();
      return BARRIER;
    }
    if (this.#sender.duePs < Number.POSITIVE_INFINITY) this.#context.wakeAt(this.#sender.duePs);
    return IDLE;
  }
}

/** What the VMM asks of the back end before the driver starts. */
function* setUp(context: CoreContext, config: GuestCoreConfig, refused: string[]): Procedure {
  const control = context.control('vhost');
  const layout = guestLayout(config.format, config.size);
  const features = FeatureSet.fromNames(config.features);
  const table = {
    guestPhysAddr: BigInt(GPA_BASE),
    sizeBytes: BigInt(layout.bytes),
    userAddr: BigInt(USER_BASE),
    window: `guest${config.guest}`,
    windowOffset: 0n,
    pageBytes: 4096n,
  };
  const rings = layout.rings.map((areas, index) => ({
    index,
    num: config.size,
    descriptorAddr: BigInt(USER_BASE + areas.desc),
    driverAddr: BigInt(USER_BASE + areas.driver),
    deviceAddr: BigInt(USER_BASE + areas.device),
    base: config.format === 'packed' ? FRESH_PACKED_BASE : 0,
    kick: true,
    call: true,
    kickVector: index,
    callVector: index,
    enable: true,
  }));
  const requests = [
    { case: 'setFeatures' as const, value: { features: { bits: features.toBigInt(), bitsHigh: 0n } } },
    { case: 'setMemTable' as const, value: { regions: [table] } },
    ...rings.map((value) => ({ case: 'setVring' as const, value })),
  ];
  for (const request of requests) {
    const reply = yield* askVhost(control, request);
    if (reply.error !== 0) refused.push(`${request.case}: ${reply.error} ${reply.reason}`);
  }
}

function* guest(context: CoreContext, config: GuestCoreConfig): Procedure {
  const refused: string[] = [];
  let driver: GuestDriver | undefined;
  context.onCollect('guest', (): GuestCoreResult => ({ received: driver?.received ?? [], refused }));
  yield* setUp(context, config, refused);
  const layout = guestLayout(config.format, config.size);
  const base = context.window(`guest${config.guest}`);
  const features = FeatureSet.fromNames(config.features);
  const rings = layout.rings.map((areas, index): DriverQueue => {
    const place = {
      size: config.size,
      index,
      descOffset: base + areas.desc,
      driverOffset: base + areas.driver,
      deviceOffset: base + areas.device,
      features: {
        eventIdx: features.has('EVENT_IDX'),
        indirect: features.has('INDIRECT_DESC'),
        inOrder: features.has('IN_ORDER'),
      },
      tables: { offset: base + areas.tables, address: GPA_BASE + areas.tables, entries: layout.tableEntries },
    };
    const { publisher } = context.memory('vq');
    return config.format === 'packed'
      ? new PackedDriver(context.arena, publisher, place)
      : new SplitDriver(context.arena, publisher, place);
  });
  driver = new GuestDriver(context, config, [rings[0], rings[1]]);
  context.addTask(driver);
}

/** Core module of the guest for tests. */
export const guestCoreModule: CoreModule = {
  create(context: CoreContext, config: GuestCoreConfig): void {
    context.spawn('test.setup', guest(context, config));
  },
};
