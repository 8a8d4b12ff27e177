import { ChainBatch, type RingFormat, UsedBatch } from '../../src/index.ts';
import { makeRig, type Rig } from './rig.ts';

/** A barrier that is left out on purpose. */
export type Mutant =
  | 'none'
  | 'kick checked in the run that published'
  | 'call checked in the run that published'
  | 'interrupts enabled without a re-check'
  | 'interrupts enabled and re-checked in one run'
  | 'notifications enabled without a re-check'
  | 'notifications enabled and re-checked in one run';

export const MUTANTS: readonly Mutant[] = [
  'kick checked in the run that published',
  'call checked in the run that published',
  'interrupts enabled without a re-check',
  'interrupts enabled and re-checked in one run',
  'notifications enabled without a re-check',
  'notifications enabled and re-checked in one run',
];

const PACKETS = 12;
const BURST = 3;

/** A side's next run: `after` says that everything it published has to be visible first (the barrier). */
interface Side {
  asleep: boolean;
  waitsFor: number;
  step: () => void;
}

/**
 * A driver that sends 12 packets through a queue of 4 and a device that completes them. Both work in runs, sleep when
 * they find nothing, and wake up for notifications only.
 */
export class Sleepers {
  readonly rig: Rig;
  readonly #mutant: Mutant;
  readonly #burst: number;
  readonly #chains = new ChainBatch(8);
  readonly #used = new UsedBatch(8);
  #toSend = PACKETS;
  returned = 0;
  readonly #driver: Side;
  readonly #device: Side;
  #seenKicks = 0;
  #seenCalls = 0;

  constructor(format: RingFormat, eventIdx: boolean, mutant: Mutant, burst = BURST) {
    const features = { eventIdx, inOrder: false, indirect: false };
    this.rig = makeRig({ format, size: 4, features, copy: false });
    this.#mutant = mutant;
    this.#burst = burst;
    this.#driver = { asleep: false, waitsFor: 0, step: () => this.#send() };
    this.#device = { asleep: true, waitsFor: 0, step: () => this.#poll() };
  }

  get done(): boolean {
    return this.returned === PACKETS;
  }

  /** The next run comes when everything published so far is visible to the device. */
  #driverBarrier(step: () => void): void {
    this.#driver.waitsFor = this.rig.toDevice.published;
    this.#driver.step = step;
  }

  #deviceBarrier(step: () => void): void {
    this.#device.waitsFor = this.rig.toDriver.published;
    this.#device.step = step;
  }

  #send(): void {
    const { driver } = this.rig;
    let added = 0;
    while (this.#toSend > 0 && added < this.#burst && driver.addOne(4096, 60, false, this.#toSend) >= 0) {
      this.#toSend--;
      added++;
    }
    driver.publish();
    if (added === 0) this.#enableInterrupts();
    else if (this.#mutant === 'kick checked in the run that published') this.#checkKick();
    else this.#driverBarrier(() => this.#checkKick());
  }

  #checkKick(): void {
    const { driver, toDevice } = this.rig;
    if (driver.shouldKick()) toDevice.notify();
    this.#driver.step = () => this.#enableInterrupts();
  }

  #enableInterrupts(): void {
    this.rig.driver.enableInterrupts();
    if (this.#mutant === 'interrupts enabled without a re-check') this.#driverSleeps();
    else if (this.#mutant === 'interrupts enabled and re-checked in one run') this.#recheckUsed();
    else this.#driverBarrier(() => this.#recheckUsed());
  }

  #recheckUsed(): void {
    if (this.rig.driver.hasUsed()) this.#reap();
    else this.#driverSleeps();
  }

  #driverSleeps(): void {
    this.#driver.asleep = true;
    this.#driver.step = () => this.#reap();
  }

  #reap(): void {
    this.rig.driver.disableInterrupts();
    this.returned += this.rig.driver.popUsed(this.#used, 8);
    this.#driver.step = () => this.#send();
  }

  #poll(): void {
    const { device } = this.rig;
    device.disableNotifications();
    const count = device.pop(this.#chains, this.#burst);
    for (let c = 0; c < count; c++) device.pushUsed(this.#chains.slot[c], 0);
    device.publishUsed();
    if (count === 0) this.#enableNotifications();
    else if (this.#mutant === 'call checked in the run that published') this.#checkCall();
    else this.#deviceBarrier(() => this.#checkCall());
  }

  #checkCall(): void {
    const { device, toDriver } = this.rig;
    if (device.shouldCall()) toDriver.notify();
    this.#device.step = () => this.#poll();
  }

  #enableNotifications(): void {
    this.rig.device.enableNotifications();
    if (this.#mutant === 'notifications enabled without a re-check') this.#deviceSleeps();
    else if (this.#mutant === 'notifications enabled and re-checked in one run') this.#recheckAvailable();
    else this.#deviceBarrier(() => this.#recheckAvailable());
  }

  #recheckAvailable(): void {
    if (this.rig.device.hasAvailable()) this.#device.step = () => this.#poll();
    else this.#deviceSleeps();
  }

  #deviceSleeps(): void {
    this.#device.asleep = true;
    this.#device.step = () => this.#poll();
  }

  /** Runs the driver once, when it is awake and its barrier is over. */
  runDriver(): boolean {
    const { toDevice, toDriver } = this.rig;
    if (toDriver.notified > this.#seenCalls) {
      this.#seenCalls = toDriver.notified;
      this.#driver.asleep = false;
    }
    if (this.#driver.asleep || toDevice.delivered < this.#driver.waitsFor) return false;
    this.#driver.step();
    return true;
  }

  runDevice(): boolean {
    const { toDevice, toDriver } = this.rig;
    if (toDevice.notified > this.#seenKicks) {
      this.#seenKicks = toDevice.notified;
      this.#device.asleep = false;
    }
    if (this.#device.asleep || toDriver.delivered < this.#device.waitsFor) return false;
    this.#device.step();
    return true;
  }

  /** One choice of the schedule: 0 run the driver, 1 run the device, 2 and 3 deliver one publication. */
  choose(choice: number): void {
    if (choice === 0) this.runDriver();
    else if (choice === 1) this.runDevice();
    else if (choice === 2) this.rig.toDevice.deliver(1);
    else this.rig.toDriver.deliver(1);
  }

  /** Runs fairly until nobody can move; true when all packets came back. */
  settle(): boolean {
    for (let round = 0; round < 10_000 && !this.done; round++) {
      this.rig.toDevice.deliver();
      this.rig.toDriver.deliver();
      const moved = [this.runDriver(), this.runDevice()];
      if (!moved.includes(true) && this.rig.toDevice.pending + this.rig.toDriver.pending === 0) break;
    }
    return this.done;
  }
}
