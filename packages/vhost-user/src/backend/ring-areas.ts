import type { VringAddr } from '../codec/payload.ts';
import { clauseOf } from '../codec/problem.ts';
import type { IotlbTable } from './iotlb-table.ts';
import type { MemoryTable } from './memory-table.ts';
import { type Refusal, refuse } from './refusal.ts';
import type { RingAreas } from './ring-setup.ts';

const CLAUSE = clauseOf('SET_VRING_ADDR');
const READ = 1;
const BOTH = 3;

/** What decides how long the areas of a ring are. */
export interface RingShape {
  readonly format: 'split' | 'packed';
  /** Descriptors. */
  readonly size: number;
  /** VIRTIO_F_EVENT_IDX: split rings have one more word at the end of both rings. */
  readonly eventIdx: boolean;
}

interface Area {
  readonly name: string;
  readonly address: bigint;
  readonly bytes: number;
  readonly align: number;
  /** 1 the device reads, 3 it writes as well. */
  readonly permission: number;
}

/** The three areas with their lengths and alignments (virtio 1.3, 2.7 and 2.8). */
function areasOf(addr: VringAddr, shape: RingShape): { descriptor: Area; driver: Area; device: Area } {
  const { size, format } = shape;
  const event = shape.eventIdx ? 2 : 0;
  const descriptor = { name: 'descriptor table', address: addr.desc, bytes: 16 * size, align: 16 };
  if (format === 'packed') {
    return {
      descriptor: { ...descriptor, name: 'packed ring', permission: BOTH },
      driver: { name: 'driver event', address: addr.avail, bytes: 4, align: 4, permission: READ },
      device: { name: 'device event', address: addr.used, bytes: 4, align: 4, permission: BOTH },
    };
  }
  return {
    descriptor: { ...descriptor, permission: READ },
    driver: {
      name: 'available ring',
      address: addr.avail,
      bytes: 4 + 2 * size + event,
      align: 2,
      permission: READ,
    },
    device: {
      name: 'used ring',
      address: addr.used,
      bytes: 4 + 8 * size + event,
      align: 4,
      permission: BOTH,
    },
  };
}

/** Bytes of the area that the device writes. */
export function deviceAreaBytes(shape: RingShape): number {
  return shape.format === 'packed' ? 4 : 4 + 8 * shape.size + (shape.eventIdx ? 2 : 0);
}

/** Addresses that no ring can have: not aligned, or areas of one ring on each other. */
export function addressProblem(addr: VringAddr, shape: RingShape): Refusal | null {
  const areas = Object.values(areasOf(addr, shape));
  for (const { name, address, align } of areas) {
    if (address % BigInt(align) !== 0n) {
      const text = `the ${name} of ring ${addr.index} is at 0x${address.toString(16)}, no multiple of ${align}`;
      return refuse('ring-unaligned', CLAUSE, text);
    }
  }
  const sorted = areas.sort((a, b) => (a.address < b.address ? -1 : 1));
  for (let i = 1; i < sorted.length; i++) {
    const [before, after] = [sorted[i - 1], sorted[i]];
    if (before.address + BigInt(before.bytes) > after.address) {
      const text = `the ${before.name} and the ${after.name} of ring ${addr.index} overlap`;
      return refuse('ring-overlap', CLAUSE, text);
    }
  }
  return null;
}

/** Where the areas are in the arena, which translation is missing, or why they cannot be used. */
export type Placed =
  | { readonly areas: RingAreas }
  | { readonly misses: readonly { readonly iova: number; readonly permission: number }[] }
  | { readonly refusal: Refusal };

/** Finds the areas of a ring. `iotlb`: addresses are I/O virtual ones; null: they are the front end's. */
export function placeRing(
  addr: VringAddr,
  shape: RingShape,
  memory: MemoryTable,
  iotlb: IotlbTable | null,
): Placed {
  const { descriptor, driver, device } = areasOf(addr, shape);
  const misses: { iova: number; permission: number }[] = [];
  const places: number[] = [];
  for (const area of [descriptor, driver, device]) {
    const where = `the ${area.name} of ring ${addr.index}, ${area.bytes} bytes at 0x${area.address.toString(16)},`;
    if (iotlb === null) {
      const at = memory.translateUser(area.address, area.bytes);
      if (at === null)
        return { refusal: refuse('ring-unmapped', CLAUSE, `${where} is not within one shared region`) };
      places.push(at);
      continue;
    }
    if (area.address + BigInt(area.bytes) > 2n ** 53n) {
      return { refusal: refuse('ring-unmapped', CLAUSE, `${where} ends beyond 2^53`) };
    }
    const found = iotlb.translate(Number(area.address), area.bytes, area.permission, memory);
    if ('at' in found) places.push(found.at);
    else if ('miss' in found) misses.push({ iova: found.miss, permission: area.permission });
    else {
      const why =
        found.problem === 'split' ? 'is not in one piece' : 'lacks a permission that the device needs';
      return { refusal: refuse('ring-unmapped', CLAUSE, `${where} ${why}`) };
    }
  }
  if (misses.length > 0) return { misses };
  const [descriptorAt, driverAt, deviceAt] = places;
  return { areas: { descriptor: descriptorAt, driver: driverAt, device: deviceAt } };
}

/** True when an area of one ring lies on an area of the other, in the arena. */
export function areasOverlap(a: RingAreas, aShape: RingShape, b: RingAreas, bShape: RingShape): boolean {
  const spans = (areas: RingAreas, shape: RingShape): [number, number][] => {
    const driver = shape.format === 'packed' ? 4 : 4 + 2 * shape.size + (shape.eventIdx ? 2 : 0);
    return [
      [areas.descriptor, 16 * shape.size],
      [areas.driver, driver],
      [areas.device, deviceAreaBytes(shape)],
    ];
  };
  return spans(a, aShape).some(([at, bytes]) =>
    spans(b, bShape).some(([other, length]) => at < other + length && other < at + bytes),
  );
}
