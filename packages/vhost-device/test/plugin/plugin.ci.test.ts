import type { RealCoreStatistics } from '@vhostlab/engine';
import { type MappedArena, reserveArena } from '@vhostlab/host';
import { Arena } from '@vhostlab/memory';
import type { RingBase } from '@vhostlab/vhost-user';
import { FeatureSet } from '@vhostlab/virtio-net';
import type { RingFormat } from '@vhostlab/virtqueue';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { WorkerCommand, WorkerNote } from '../../src/control/commands.ts';
import { WorkerPool } from '../../src/control/worker-pool.ts';
import { PLUGIN_MODULE, pluginHost } from '../../src/plugin/plugin-host.ts';
import { DEFAULT_PLUGIN_SPEC, type PluginSpec } from '../../src/plugin/plugin-spec.ts';
import type { PluginOrder } from '../../src/plugin/plugin-worker.ts';
import { SharedStatistics } from '../../src/stats/shared-statistics.ts';
import { GUEST_BYTES, RingGuest } from './ring-guest.ts';

const DEVICES = 2;
const WAIT = { timeout: 20_000, interval: 2 };
/** Where guest memory is mapped: first places, then those that it moves to. */
const AREA_BYTES = 4 * GUEST_BYTES;

/** A plugin's thread, and the arena that it shares with guests. Starting one takes most of a test's time. */
class Bench {
  readonly notes: WorkerNote[] = [];
  readonly mapped: MappedArena;
  readonly statistics = new SharedStatistics(DEVICES, 2);
  readonly #pool: WorkerPool;
  readonly #arena: Arena;
  readonly #area: number;
  #guests: RingGuest[] = [];

  constructor(part: Partial<PluginSpec>) {
    const host = pluginHost({ ...DEFAULT_PLUGIN_SPEC, ...part }, DEVICES, 1);
    this.mapped = reserveArena(host.ownBytes + AREA_BYTES);
    this.mapped.mapAnonymous(0, host.ownBytes);
    this.#arena = new Arena(this.mapped.buffer);
    this.#area = host.ownBytes;
    const { address, sizeBytes } = this.mapped;
    const place = {
      cpus: [],
      arena: { address, sizeBytes },
      ownOffset: 0,
      statistics: this.statistics.buffer,
    };
    this.#pool = new WorkerPool(PLUGIN_MODULE, [host.config(place)], (note) => this.notes.push(note));
  }

  /** New guests on both devices, which begin anew. */
  async guests(formats: readonly RingFormat[]): Promise<RingGuest[]> {
    await this.#leave();
    this.notes.length = 0;
    this.#guests = formats.map((format, device) => {
      const place = { mapped: this.mapped, arena: this.#arena, offset: this.#place(device) };
      return new RingGuest(device, format, place, (command) => this.order(command));
    });
    for (const guest of this.#guests) await guest.start();
    return this.#guests;
  }

  order(command: WorkerCommand): Promise<unknown> {
    return this.#pool.call(0, command);
  }

  cores(): Promise<RealCoreStatistics[]> {
    return this.order('report' satisfies PluginOrder as unknown as WorkerCommand) as Promise<
      RealCoreStatistics[]
    >;
  }

  /** Sum of a counter over all cores since the thread began. */
  async total(counter: string): Promise<number> {
    return (await this.cores()).reduce((sum, { counters }) => sum + (counters[counter] ?? 0), 0);
  }

  /** An unused place for the memory of a guest. */
  spare(device: number): number {
    return this.#place(DEVICES + device);
  }

  async close(): Promise<void> {
    await this.#leave();
    await this.#pool.stop();
    this.mapped.release();
  }

  #place(slot: number): number {
    return this.#area + slot * GUEST_BYTES;
  }

  async #leave(): Promise<void> {
    for (const device of this.#guests.keys()) {
      await this.order({ device, do: 'reset' });
      await this.order({ device, do: 'memory', regions: [], rings: [] });
    }
    for (const guest of this.#guests.splice(0)) guest.close();
  }
}

/** Frame `number` from one guest to the other: addresses, an experimental EtherType, bytes of its number. */
function frame(from: number, number: number, length: number): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, i) => (number * 31 + i * 7) & 0xff);
  bytes.set([2, 0, 0, 0, 0, 1 - from, 2, 0, 0, 0, 0, from, 0x88, 0xb5, number >> 8, number & 0xff]);
  return bytes;
}

/** Frames at once: fewer than a NIC keeps buffers for. */
const BURST = 20;

/** Sends frames in bursts and expects all of them, in order and byte for byte. */
async function carries(from: RingGuest, to: RingGuest, sender: number, count = 200): Promise<void> {
  const lengths = [60, 1514, 61, 590, 128];
  const frames = Array.from({ length: count }, (_, i) => frame(sender, i, lengths[i % lengths.length]));
  const received: Uint8Array[] = [];
  for (let at = 0; at < count; at += BURST) {
    from.send(frames.slice(at, at + BURST));
    await vi.waitFor(() => {
      received.push(...to.receive());
      expect(received).toHaveLength(Math.min(count, at + BURST));
      expect(from.sent).toBe(true);
    }, WAIT);
  }
  expect(received).toEqual(frames);
}

const HOSTED = [
  { plugin: 'vhost-user', formats: ['split', 'packed'], jump: 'avail_jump' },
  { plugin: 'user-interrupt', formats: ['split', 'split'], jump: 'avail_jump' },
  { plugin: 'sw-vdpa', formats: ['split', 'packed'], jump: 'avail-jump' },
] as const;

describe.each(HOSTED)('$plugin on a thread of its own', ({ plugin, formats, jump }) => {
  let bench: Bench;
  beforeAll(() => {
    bench = new Bench({ plugin });
  });
  afterAll(() => bench.close());

  it('carries frames between guests, byte for byte, and learns where they are', async () => {
    const guests = await bench.guests(formats);
    await carries(guests[0], guests[1], 0);
    await carries(guests[1], guests[0], 1);
    expect([guests[0].called(0), guests[1].called(0)]).toEqual([true, true]);
    const cores = await bench.cores();
    const drops = cores.flatMap(({ counters }) =>
      Object.entries(counters).filter(([name, value]) => name.startsWith('drop.') && value > 0),
    );
    expect(drops).toEqual([]);
    const handler = cores.find(({ id }) => id === 'switch.handler');
    expect(handler?.results.switch).toMatchObject({ macs: 2, faults: {} });
    await vi.waitFor(() => {
      for (const queue of bench.statistics.snapshot()) {
        expect(queue).toMatchObject({ frames: 200, bytes: 94_120, violations: 0 });
      }
    }, WAIT);
  });

  it('goes on where a ring stopped', async () => {
    const guests = await bench.guests(formats);
    await carries(guests[0], guests[1], 0, 70);
    const stopped = { 0: 0, 1: 70 };
    for (const index of [0, 1] as const) {
      const base = (await bench.order({ device: 0, do: 'stop', index })) as RingBase;
      expect(base.format === 'split' ? base.lastAvail : base.avail).toBe(stopped[index]);
      expect(await bench.order({ device: 0, do: 'start', ring: guests[0].ring(index, { base }) })).toBeNull();
    }
    await carries(guests[0], guests[1], 0);
    await carries(guests[1], guests[0], 1);
  });

  it('follows memory that is mapped elsewhere, and waits while it is nowhere', async () => {
    const guests = await bench.guests(formats);
    await carries(guests[0], guests[1], 0, 50);
    const elsewhere = bench.spare(1);
    bench.mapped.mapFile(elsewhere, guests[1].file, 0, GUEST_BYTES);
    const move = (offset: number | null): Promise<unknown> =>
      bench.order({
        device: 1,
        do: 'memory',
        regions: offset === null ? [] : [guests[1].region(offset)],
        rings: [0, 1].map((index) => ({
          index,
          areas: offset === null ? null : guests[1].areas(index, offset),
        })),
      });
    await move(elsewhere);
    await carries(guests[0], guests[1], 0);
    await move(null);
    bench.mapped.unmap(elsewhere, GUEST_BYTES);
    guests[0].send([frame(0, 1, 60)]);
    await vi.waitFor(() => expect(guests[0].sent).toBe(true), WAIT);
    await move(guests[1].region().arenaOffset);
    await carries(guests[0], guests[1], 0);
    await carries(guests[1], guests[0], 1);
  });

  it('lets nothing through a disabled ring', async () => {
    const guests = await bench.guests(formats);
    await bench.order({ device: 0, do: 'enable', index: 1, on: false });
    const dropped = await bench.total('drop.ring-disabled');
    guests[0].send([frame(0, 1, 60), frame(0, 2, 60)]);
    if (plugin === 'sw-vdpa') {
      // a vDPA device has no state for it: the frames wait
      await carries(guests[1], guests[0], 1, 50);
    } else {
      await vi.waitFor(() => expect(guests[0].sent).toBe(true), WAIT);
      expect(await bench.total('drop.ring-disabled')).toBe(dropped + 2);
    }
    expect(guests[1].receive()).toEqual([]);
    await bench.order({ device: 0, do: 'enable', index: 1, on: true });
    if (plugin === 'sw-vdpa') {
      await vi.waitFor(() => expect(guests[0].sent).toBe(true), WAIT);
      expect(guests[1].receive()).toEqual([frame(0, 1, 60), frame(0, 2, 60)]);
    }
    await carries(guests[0], guests[1], 0);
  });

  it('tells of the ring that a guest broke, and carries on with the others', async () => {
    const guests = await bench.guests(['split', formats[1]]);
    guests[0].breakRing(1);
    await vi.waitFor(() => expect(bench.notes).toHaveLength(1), WAIT);
    expect(bench.notes[0]).toMatchObject({ note: 'violation', device: 0, index: 1, reason: jump });
    await carries(guests[1], guests[0], 1);
  });

  it('leaves rings alone after a reset', async () => {
    const guests = await bench.guests(formats);
    await carries(guests[0], guests[1], 0, 50);
    await bench.order({ device: 0, do: 'reset' });
    guests[1].send([frame(1, 1, 60)]);
    await vi.waitFor(() => expect(guests[1].sent).toBe(true), WAIT);
    expect(guests[0].receive()).toEqual([]);
    const again = bench.order({ device: 0, do: 'stop', index: 1 });
    await expect(again).rejects.toThrow(/ring 1 is stopped but was not/);
  });

  it('refuses kick descriptors that cannot be waited for, in one sentence', async () => {
    const guests = await bench.guests(formats);
    await bench.order({ device: 0, do: 'stop', index: 1 });
    const ring = guests[0].ring(1, { kick: guests[0].file.number });
    expect(await bench.order({ device: 0, do: 'start', ring })).toMatch(
      /^its kick descriptor cannot be waited for: epoll_ctl kick eventfd: EPERM/,
    );
  });
});

describe('pluginHost', () => {
  it('offers what its cores can do', () => {
    const offer = (part: Partial<PluginSpec>): FeatureSet =>
      FeatureSet.fromBigInt(pluginHost({ ...DEFAULT_PLUGIN_SPEC, ...part }, 2, 2).features);
    expect(offer({}).has('RING_PACKED')).toBe(true);
    expect(offer({}).has('CSUM')).toBe(true);
    expect(offer({ csum: false }).has('CSUM')).toBe(false);
    expect(offer({ tso: true }).has('HOST_TSO4')).toBe(true);
    expect(offer({ plugin: 'user-interrupt' }).has('RING_PACKED')).toBe(false);
    expect(offer({ plugin: 'sw-vdpa' }).has('RING_PACKED')).toBe(true);
    expect(offer({ plugin: 'sw-vdpa' }).has('ACCESS_PLATFORM')).toBe(false);
    expect(offer({}).has('LOG_ALL')).toBe(false);
  });

  it('says what is wrong with flows', () => {
    const wrong = { ...DEFAULT_PLUGIN_SPEC, flows: ['in_port=guest7,actions=normal'] };
    expect(() => pluginHost(wrong, 2, 1)).toThrow(/guest7/);
  });
});
