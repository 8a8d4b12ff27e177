import fc from 'fast-check';
import { expect } from 'vitest';
import { CHAIN_OK, ChainBatch, SegmentList, UsedBatch } from '../../src/index.ts';
import type { Buffer, Oracle } from './oracle.ts';
import { type Rig, TABLE_ENTRIES, WINDOW } from './rig.ts';

type Command = fc.Command<Oracle, Rig>;
type Kind = 'one' | 'chain' | 'indirect';

const chains = new ChainBatch(16, 24);
const used = new UsedBatch(16);
const list = new SegmentList(TABLE_ENTRIES);

class Add implements Command {
  readonly kind: Kind;
  readonly lengths: readonly number[];
  readonly readable: number;

  constructor(kind: Kind, lengths: readonly number[], readable: number) {
    this.kind = kind;
    this.lengths = kind === 'one' ? lengths.slice(0, 1) : lengths;
    this.readable = Math.min(readable, this.lengths.length);
  }

  check(): boolean {
    return true;
  }

  run(model: Oracle, { driver }: Rig): void {
    const token = model.nextToken++;
    const segments = this.lengths.map((length, i) => ({
      address: token * 0x1_2345_6780 + i * 0x1000,
      length,
      writable: i >= this.readable,
    }));
    if (this.kind !== 'one' && segments.length > model.size) return;
    const descriptors = this.kind === 'chain' ? segments.length : 1;
    list.clear();
    for (const { address, length, writable } of segments) list.push(address, length, writable);
    const first = segments[0];
    let slot = 0;
    if (this.kind === 'one') slot = driver.addOne(first.address, first.length, first.writable, token);
    else if (this.kind === 'chain') slot = driver.addChain(list, token);
    else slot = driver.addIndirect(list, token);
    expect(slot >= 0).toBe(model.freeSlots >= descriptors);
    if (slot >= 0) {
      const writableBytes = segments.reduce((sum, each) => sum + (each.writable ? each.length : 0), 0);
      model.add({ token, segments, writableBytes, descriptors, slot, written: 0 });
    }
    expect(driver.freeSlots).toBe(model.freeSlots);
  }

  toString(): string {
    return `add ${this.kind} ${this.lengths.join('+')} (${this.readable} readable)`;
  }
}

class Publish implements Command {
  check(): boolean {
    return true;
  }

  run(model: Oracle, { driver, toDevice }: Rig): void {
    const before = toDevice.published;
    driver.publish();
    expect(toDevice.published - before).toBe(model.unpublished.length > 0 ? 1 : 0);
    model.publish(toDevice.published);
  }

  toString(): string {
    return 'publish';
  }
}

class Deliver implements Command {
  readonly to: 'device' | 'driver';
  readonly count: number;

  constructor(to: 'device' | 'driver', count: number) {
    this.to = to;
    this.count = count;
  }

  check(): boolean {
    return true;
  }

  run(_model: Oracle, rig: Rig): void {
    (this.to === 'device' ? rig.toDevice : rig.toDriver).deliver(this.count);
  }

  toString(): string {
    return `${this.count} to ${this.to}`;
  }
}

/** What `pop` must return for `expected` buffers, segment by segment. */
function expectChains(expected: readonly Buffer[]): void {
  expect([...chains.slot.subarray(0, chains.count)]).toEqual(expected.map((buffer) => buffer.slot));
  expected.forEach((buffer, c) => {
    const first = chains.firstSegment[c];
    const seen = buffer.segments.map((_, i) => ({
      address: chains.address[first + i],
      length: chains.length[first + i],
      writable: chains.writable[first + i] === 1,
    }));
    expect(seen).toEqual(buffer.segments);
    expect(chains.segmentCount[c]).toBe(buffer.segments.length);
    expect(chains.status[c]).toBe(CHAIN_OK);
    expect(chains.writableBytes[c]).toBe(buffer.writableBytes);
    const all = buffer.segments.reduce((sum, each) => sum + each.length, 0);
    expect(chains.readableBytes[c]).toBe(all - buffer.writableBytes);
    buffer.segments.forEach((segment, i) => {
      if (segment.length > 0) expect(chains.offset[first + i]).toBe(segment.address + WINDOW);
    });
  });
}

/** How many of the next `wanted` buffers find room for their segments. */
function fittingChains(model: Oracle, wanted: number): number {
  let segments = 0;
  let fit = 0;
  for (; fit < wanted; fit++) {
    segments += model.available[fit].buffer.segments.length;
    if (segments > chains.segmentCapacity) break;
  }
  return fit;
}

class Pop implements Command {
  readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  check(): boolean {
    return true;
  }

  run(model: Oracle, { device, toDevice }: Rig): void {
    const visible = model.visibleAvailable(toDevice.delivered);
    expect(device.available()).toBe(visible);
    expect(device.hasAvailable()).toBe(visible > 0);
    const count = device.pop(chains, this.max);
    expect(device.violation).toBe(0);
    expect(count).toBe(chains.count);
    expect(count).toBe(fittingChains(model, Math.min(visible, this.max)));
    expectChains(model.pop(count));
    expect(device.inFlight).toBe(model.popped.length);
  }

  toString(): string {
    return `pop ${this.max}`;
  }
}

class Unpop implements Command {
  readonly count: number;

  constructor(count: number) {
    this.count = count;
  }

  check(model: Readonly<Oracle>): boolean {
    return model.givable > 0;
  }

  run(model: Oracle, { device }: Rig): void {
    const count = Math.min(this.count, model.givable);
    device.unpop(count);
    model.unpop(count);
    expect(device.inFlight).toBe(model.popped.length);
  }

  toString(): string {
    return `unpop ${this.count}`;
  }
}

class Complete implements Command {
  readonly pick: number;
  readonly share: number;

  /** `share`: 0 to 4 quarters of the writable bytes are written. */
  constructor(pick: number, share: number) {
    this.pick = pick;
    this.share = share;
  }

  check(model: Readonly<Oracle>): boolean {
    return model.pending.length > 0;
  }

  run(model: Oracle, { device }: Rig): void {
    const pending = model.pending;
    const buffer = pending[this.pick % pending.length];
    const written = Math.floor((buffer.writableBytes * this.share) / 4);
    device.pushUsed(buffer.slot, written);
    model.complete(buffer, written);
  }

  toString(): string {
    return `complete ${this.pick} ${this.share}/4`;
  }
}

/** Completes the oldest `count` chains with the same length each. */
class CompleteBurst implements Command {
  readonly count: number;

  constructor(count: number) {
    this.count = count;
  }

  check(model: Readonly<Oracle>): boolean {
    return model.pending.length > 0;
  }

  run(model: Oracle, { device }: Rig): void {
    const buffers = model.pending.slice(0, this.count);
    const written = Math.min(...buffers.map((buffer) => buffer.writableBytes));
    const slots = Uint16Array.from(buffers, (buffer) => buffer.slot);
    device.pushUsedBurst(slots, buffers.length, written);
    for (const buffer of buffers) model.complete(buffer, written);
  }

  toString(): string {
    return `complete ${this.count} at once`;
  }
}

class PublishUsed implements Command {
  check(): boolean {
    return true;
  }

  run(model: Oracle, { device, toDriver }: Rig): void {
    const before = toDriver.published;
    const count = model.flushable().length;
    device.publishUsed();
    const words = toDriver.published - before;
    expect(words >= 1).toBe(count > 0);
    model.publishUsed(before + 1);
    expect(device.inFlight).toBe(model.popped.length);
  }

  toString(): string {
    return 'publishUsed';
  }
}

class PopUsed implements Command {
  readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  check(): boolean {
    return true;
  }

  run(model: Oracle, { driver, toDriver }: Rig): void {
    const visible = model.visibleUsed(toDriver.delivered);
    expect(driver.hasUsed()).toBe(visible > 0);
    const count = driver.popUsed(used, this.max);
    expect(driver.violation).toBe(0);
    expect(count).toBe(Math.min(visible, this.max));
    const expected = model.popUsed(count);
    expect([...used.token.subarray(0, count)]).toEqual(expected.map((buffer) => buffer.token));
    expect([...used.slot.subarray(0, count)]).toEqual(expected.map((buffer) => buffer.slot));
    expect([...used.length.subarray(0, count)]).toEqual(expected.map((buffer) => buffer.written));
    expect(driver.freeSlots).toBe(model.freeSlots);
    const tokens = driver.outstanding().map((each) => each.token);
    expect(tokens).toEqual(model.outstanding);
    expect(driver.inFlight).toBe(tokens.length);
  }

  toString(): string {
    return `popUsed ${this.max}`;
  }
}

/** Notification words in between must disturb nothing. */
class Suppress implements Command {
  readonly what: number;

  constructor(what: number) {
    this.what = what;
  }

  check(): boolean {
    return true;
  }

  run(_model: Oracle, { driver, device }: Rig): void {
    if (this.what === 0) driver.enableInterrupts();
    else if (this.what === 1) driver.disableInterrupts();
    else if (this.what === 2) driver.enableInterruptsAfter(3);
    else if (this.what === 3) device.enableNotifications();
    else if (this.what === 4) device.disableNotifications();
    else if (this.what === 5) driver.shouldKick();
    else device.shouldCall();
  }

  toString(): string {
    return `suppress ${this.what}`;
  }
}

const small = fc.integer({ min: 1, max: 6 });

/** Random schedules over one queue. */
export function queueCommands(indirect: boolean): fc.Arbitrary<Iterable<Command>> {
  const kinds: Kind[] = indirect ? ['one', 'one', 'chain', 'indirect'] : ['one', 'chain'];
  const lengths = fc.array(fc.integer({ min: 0, max: 2000 }), { minLength: 1, maxLength: 5 });
  return fc.commands(
    [
      fc
        .tuple(fc.constantFrom(...kinds), lengths, fc.nat(5))
        .map(([kind, bytes, readable]) => new Add(kind, bytes, readable)),
      fc.constant(new Publish()),
      small.map((count) => new Deliver('device', count)),
      small.map((count) => new Deliver('driver', count)),
      small.map((max) => new Pop(max)),
      small.map((count) => new Unpop(count)),
      fc.tuple(fc.nat(7), fc.nat(4)).map(([pick, share]) => new Complete(pick, share)),
      small.map((count) => new CompleteBurst(count)),
      fc.constant(new PublishUsed()),
      small.map((max) => new PopUsed(max)),
      fc.nat(6).map((what) => new Suppress(what)),
    ],
    { size: '+2', maxCommands: 300 },
  );
}

/** Lets everything that is on its way arrive; afterwards nothing may be missing. */
export function drain(model: Oracle, rig: Rig): void {
  new Publish().run(model, rig);
  for (let round = 0; model.outstanding.length > 0; round++) {
    expect(round).toBeLessThan(1000);
    rig.toDevice.deliver();
    new Pop(16).run(model, rig);
    while (model.pending.length > 0) new Complete(0, 4).run(model, rig);
    new PublishUsed().run(model, rig);
    rig.toDriver.deliver();
    new PopUsed(16).run(model, rig);
  }
  expect(rig.driver.freeSlots).toBe(model.size);
  expect(rig.device.inFlight).toBe(0);
}
