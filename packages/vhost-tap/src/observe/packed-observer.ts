import type { Arena } from '@vhostlab/memory';
import { Findings } from './findings.ts';
import { PackedChains } from './packed-chains.ts';
import { PackedEntries } from './packed-entries.ts';
import { PackedScan } from './packed-scan.ts';
import type { ObserverTotals, RingObserver, RingSample } from './ring-sample.ts';
import type { FrameSink, ObservedMemory, ObserverLimits, RingToObserve } from './ring-to-observe.ts';
import { OrderEvidence } from './trust.ts';

const FLAGS_DESC = 2;

/**
 * Observer of a packed ring. Descriptors are written by both sides, so it concludes only from those that certainly were
 * at rest: available in this lap before and after they were read, with no newer used descriptor.
 */
export class PackedObserver implements RingObserver {
  readonly #ring: RingToObserve;
  readonly #limits: ObserverLimits;
  readonly #u32: Uint32Array;
  readonly #findings: Findings;
  readonly #scan: PackedScan;
  readonly #entries: PackedEntries;
  readonly #chains: PackedChains;
  #lastNs = 0;
  #isStarted = false;
  /** The next sample is the first, at a ring whose device is only just starting. */
  #isFresh = false;
  #lastAvail = 0;
  /** While the entries are exact: place up to which they know the lists. */
  #followed = 0;
  #lastUsed = 0;

  constructor(
    arena: Arena,
    memory: ObservedMemory,
    ring: RingToObserve,
    limits: ObserverLimits,
    sink: FrameSink | null,
  ) {
    this.#ring = ring;
    this.#limits = limits;
    this.#u32 = arena.u32;
    this.#findings = new Findings(ring.queue, true);
    this.#scan = new PackedScan(arena, ring);
    const order = new OrderEvidence(ring.features.has('IN_ORDER'));
    this.#entries = new PackedEntries(arena, ring, this.#findings, order);
    this.#chains = new PackedChains(
      arena,
      memory,
      ring,
      this.#findings,
      this.#scan,
      this.#entries,
      order,
      limits,
      sink,
    );
    if (sink !== null && ring.direction === 'rx') {
      this.#entries.onUsed = (id, written) => this.#chains.frames.received(id, written);
    }
  }

  get sampleNow(): RingSample {
    return this.#findings.sample;
  }

  get totals(): ObserverTotals {
    return this.#findings.totals;
  }

  sample(nowNs: number): RingSample {
    const findings = this.#findings;
    const { sample } = findings;
    findings.begin();
    const driver = Atomics.load(this.#u32, this.#ring.driverOffset >>> 2);
    const device = Atomics.load(this.#u32, this.#ring.deviceOffset >>> 2);
    this.#scan.scan();
    if (!this.#isStarted) this.#start();
    const isVisible = this.#scan.avail >= 0;
    const avail = isVisible ? this.#scan.avail : this.#lastAvail;
    sample.availSteps = this.#scan.distance(this.#lastAvail, avail);
    sample.availMissed = sample.availSteps;
    findings.interval(nowNs - this.#lastNs, 2 * this.#ring.size);
    this.#lastNs = nowNs;
    if (isVisible) this.#advance(avail, nowNs);
    const used = !isVisible
      ? this.#lastUsed
      : this.#entries.isExact
        ? this.#entries.used
        : this.#scan.runStart();
    sample.usedSteps = this.#scan.distance(this.#lastUsed, used);
    sample.usedMissed = Math.max(0, sample.usedSteps - (isVisible ? this.#chains.usedSeen : 0));
    this.#note(avail, used, driver, device);
    this.#lastAvail = avail;
    this.#lastUsed = used;
    findings.end();
    return sample;
  }

  #advance(avail: number, nowNs: number): void {
    const { size } = this.#ring;
    const entries = this.#entries;
    const from = this.#followed;
    const isSlow = this.#scan.distance(from, avail) <= Math.min(size, this.#limits.maxEntries);
    const goesOn = isSlow && (this.#isFresh || entries.isSame(this.#scan, from, avail));
    this.#isFresh = false;
    if (entries.isExact && !goesOn) entries.lose();
    if (entries.isExact) this.#followed = this.#chains.follow(from, avail, nowNs);
    else {
      this.#chains.look(nowNs);
      this.#lookForEnd(avail);
    }
    if (!entries.isExact && this.#scan.isAllUsed) this.#lookWhetherEmpty(avail);
    if (entries.isExact) entries.remember();
    else this.#followed = avail;
  }

  /** Nothing is known of where lists begin: one without end shows all the same, in two scans that are alike. */
  #lookForEnd(avail: number): void {
    let isEndless = this.#scan.isEndless;
    if (isEndless) {
      this.#scan.scan();
      isEndless = this.#scan.avail === avail && this.#scan.isEndless;
    }
    const text = () => `all ${this.#ring.size} descriptors are available and have NEXT`;
    this.#findings.sayOnce('chain-loop', isEndless, text);
  }

  /** Two scans that are the same show the ring as it was between them. */
  #lookWhetherEmpty(avail: number): void {
    this.#scan.scan();
    if (this.#scan.avail !== avail || !this.#scan.isAllUsed) return;
    this.#entries.startEmpty(avail);
    this.#followed = avail;
  }

  #start(): void {
    this.#isStarted = true;
    const { base, size } = this.#ring;
    const scan = this.#scan;
    if (base !== undefined && (base & 0x7fff) < size) {
      const from = (base & 0x7fff) + ((base & 0x8000) === 0 ? size : 0);
      const high = base >>> 16;
      // a zero high half means: used as far as available
      const isEmpty = high === 0 || high === (base & 0xffff);
      this.#lastAvail = from;
      this.#lastUsed = from;
      this.#followed = from;
      this.#isFresh = isEmpty && scan.avail >= 0 && scan.distance(from, scan.avail) <= size;
      if (this.#isFresh) this.#entries.startEmpty(from);
      return;
    }
    this.#lastAvail = Math.max(0, scan.avail);
    this.#lastUsed = scan.avail >= 0 ? scan.runStart() : 0;
  }

  /** Places, flags and event words into the sample. */
  #note(avail: number, used: number, driver: number, device: number): void {
    const { sample } = this.#findings;
    const availNow = this.#scan.slot(avail) | (this.#scan.wrap(avail) << 15);
    const usedNow = this.#scan.slot(used) | (this.#scan.wrap(used) << 15);
    const [driverFlags, deviceFlags] = [driver >>> 16, device >>> 16];
    const [driverEvent, deviceEvent] = [driver & 0xffff, device & 0xffff];
    sample.changed =
      sample.avail !== availNow ||
      sample.used !== usedNow ||
      sample.driverFlags !== driverFlags ||
      sample.deviceFlags !== deviceFlags ||
      sample.driverEvent !== driverEvent ||
      sample.deviceEvent !== deviceEvent;
    sample.avail = availNow;
    sample.used = usedNow;
    sample.driverFlags = driverFlags;
    sample.deviceFlags = deviceFlags;
    sample.driverEvent = driverEvent;
    sample.deviceEvent = deviceEvent;
    this.#checkEvent('driver-event', driverFlags, driverEvent);
    this.#checkEvent('device-event', deviceFlags, deviceEvent);
  }

  #checkEvent(code: 'driver-event' | 'device-event', flags: number, event: number): void {
    const hasEvents = this.#ring.features.has('EVENT_IDX');
    const isBroken =
      flags > FLAGS_DESC || (flags === FLAGS_DESC && (!hasEvents || (event & 0x7fff) >= this.#ring.size));
    this.#findings.sayOnce(code, isBroken, () => {
      const feature = hasEvents ? '' : ', EVENT_IDX is not negotiated';
      return `flags are ${flags}, offset is ${event & 0x7fff} in a queue of ${this.#ring.size}${feature}`;
    });
  }
}
