import { DirtyLog } from '@vhostlab/memory';
import { UsedBatch } from '@vhostlab/virtqueue';
import { describe, expect, it } from 'vitest';
import { HIGH, KINDS, LOW, PathRig, pattern, QUEUE_SIZE, REGION_BYTES, type RigOptions } from './path-rig.ts';

const PAGE_BYTES = 4096;
/** The rings lie at the beginning of the arena: a region of guest memory of their own. */
const RINGS = 0x80_0000;
const RINGS_BYTES = 0x8000;
const LOG_AT = 0x1_0000;
const LOG_BYTES = 0x2_8000;
/** More than the rings hold, so that they wrap. */
const ROUNDS = QUEUE_SIZE + 16;

/** What a page that was written and not logged is called. */
type Page = string;

/** A guest that keeps a log of what its device writes. */
class LoggedRig extends PathRig {
  readonly log: DirtyLog;
  readonly #regions: readonly { gpa: number; bytes: number; arenaOffset: number }[];

  constructor(options: RigOptions) {
    super(options);
    this.#regions = [
      { gpa: RINGS, bytes: RINGS_BYTES, arenaOffset: 0 },
      { gpa: LOW, bytes: REGION_BYTES, arenaOffset: this.placeOf(LOW) },
      { gpa: HIGH, bytes: REGION_BYTES, arenaOffset: this.placeOf(HIGH) },
    ];
    this.memory.setRegions(this.#regions);
    this.memory.setLog({ arenaOffset: LOG_AT, bytes: LOG_BYTES, logAll: true } as never);
    this.log = new DirtyLog(this.arena, LOG_AT, LOG_BYTES);
    // QEMU gives the device area's address for both formats, where a packed ring has no used elements.
    this.receive.ring.usedLogGpa = RINGS + this.places[0]!.deviceOffset;
    this.transmit.ring.usedLogGpa = RINGS + this.places[1]!.deviceOffset;
  }

  /** The guest offers a buffer and sends a frame. */
  drive(round: number): void {
    const used = new UsedBatch(QUEUE_SIZE);
    this.rx.popUsed(used, QUEUE_SIZE);
    this.tx.popUsed(used, QUEUE_SIZE);
    const slot = round % QUEUE_SIZE;
    const bytes = 60 + ((round * 37) % 1400);
    const address = (round % 2 === 0 ? LOW : HIGH) + slot * 2048;
    const sent = (round % 2 === 0 ? HIGH : LOW) + 0x2_8000 + slot * 2048;
    this.arena.u8.fill(0, this.placeOf(sent), this.placeOf(sent) + this.header);
    this.arena.u8.set(pattern(round, bytes), this.placeOf(sent) + this.header);
    expect(this.rx.addOne(address, 2048, true, slot)).toBeGreaterThanOrEqual(0);
    expect(this.tx.addOne(sent, this.header + bytes, false, slot)).toBeGreaterThanOrEqual(0);
    this.rx.publish();
    this.tx.publish();
  }

  /** The device gives the frame back. Answers the pages that it wrote and did not log. */
  echo(): Page[] {
    const before = this.arena.u8.slice();
    this.transmit.dequeue(this.batch, QUEUE_SIZE);
    expect(this.receive.enqueue(this.batch)).toBe(1);
    const missing: Page[] = [];
    for (const { gpa, bytes, arenaOffset } of this.#regions) {
      for (let at = 0; at < bytes; at += PAGE_BYTES) {
        const from = arenaOffset + at;
        const is = Buffer.from(this.arena.u8.buffer, this.arena.u8.byteOffset + from, PAGE_BYTES);
        const changed = !is.equals(before.subarray(from, from + PAGE_BYTES));
        if (changed && !this.log.isDirty(gpa + at)) missing.push(gpa === RINGS ? 'ring' : 'buffer');
      }
    }
    return missing;
  }

  /** Sends frames around; answers what kinds of pages were missing in the log. */
  missed(): Page[] {
    const missing = new Set<Page>();
    for (let round = 0; round < ROUNDS; round += 1) {
      this.arena.u8.fill(0, LOG_AT, LOG_AT + LOG_BYTES);
      this.drive(round);
      for (const page of this.echo()) missing.add(page);
    }
    return [...missing].sort();
  }
}

describe.each(KINDS)('the dirty log of a device, %s', (_, options) => {
  it('has every page that the device wrote', () => {
    expect(new LoggedRig(options).missed()).toEqual([]);
  });

  it('lacks pages of the rings when used buffers are not logged', () => {
    const rig = new LoggedRig(options);
    rig.receive.ring.usedLogGpa = null;
    rig.transmit.ring.usedLogGpa = null;
    expect(rig.missed()).toEqual(['ring']);
  });

  it('lacks pages of buffers when what is written into them is not logged', () => {
    const rig = new LoggedRig(options);
    const { memory } = rig;
    const logWritten = memory.logWritten.bind(memory);
    memory.logWritten = (offset, bytes) => {
      if (offset < RINGS_BYTES) logWritten(offset, bytes);
    };
    expect(rig.missed()).toEqual(['buffer']);
  });
});
