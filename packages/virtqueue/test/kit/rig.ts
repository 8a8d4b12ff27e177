import { type Arena, createArena } from '@vhostlab/memory';
import {
  type DeviceQueue,
  type DriverQueue,
  PackedDevice,
  PackedDriver,
  type RingFeatures,
  type RingFormat,
  type RingPlace,
  ringLayout,
  SplitDevice,
  SplitDriver,
  type Translator,
} from '../../src/index.ts';
import { DelayedPublisher } from './delayed-publisher.ts';

/** Guest addresses of the indirect tables in rigs. */
export const TABLES_ADDRESS = 0x7000_0000;
/** Descriptors per indirect table in rigs. */
export const TABLE_ENTRIES = 8;
/** What the rigs' translators add to a guest address that is no table. */
export const WINDOW = 0x10_0000;

export interface RigOptions {
  readonly format: RingFormat;
  readonly size: number;
  readonly features: RingFeatures;
  /** Separate arenas, at different offsets; published words and covered bytes alone cross. */
  readonly copy: boolean;
}

/** A driver and a device with a delayed publisher each way. */
export interface Rig {
  readonly driver: DriverQueue;
  readonly device: DeviceQueue;
  readonly toDevice: DelayedPublisher;
  readonly toDriver: DelayedPublisher;
}

function placeAt(options: RigOptions, base: number): RingPlace & { end: number } {
  const layout = ringLayout(options.format, options.size, options.features.eventIdx);
  return {
    size: options.size,
    index: 1,
    descOffset: base + layout.desc.offset,
    driverOffset: base + layout.driver.offset,
    deviceOffset: base + layout.device.offset,
    features: options.features,
    end: Math.ceil((base + layout.bytes) / 16) * 16,
  };
}

export function makeDriver(options: RigOptions, arena: Arena, publisher: DelayedPublisher, base: number) {
  const place = placeAt(options, base);
  const tables = { offset: place.end, address: TABLES_ADDRESS, entries: TABLE_ENTRIES };
  const driverPlace = { ...place, tables };
  return options.format === 'split'
    ? new SplitDriver(arena, publisher, driverPlace)
    : new PackedDriver(arena, publisher, driverPlace);
}

function makeDevice(options: RigOptions, arena: Arena, publisher: DelayedPublisher, base: number) {
  const place = placeAt(options, base);
  const translator: Translator = {
    translate(address, length) {
      const table = address - TABLES_ADDRESS;
      const tablesEnd = options.size * TABLE_ENTRIES * 16;
      if (table >= 0 && table + length <= tablesEnd) return place.end + table;
      return address + WINDOW;
    },
  };
  return options.format === 'split'
    ? new SplitDevice(arena, publisher, translator, place)
    : new PackedDevice(arena, publisher, translator, place);
}

export function makeRig(options: RigOptions): Rig {
  const base = 4096;
  const shift = options.copy ? 512 : 0;
  const driverArena = createArena(1 << 16);
  const deviceArena = options.copy ? createArena(1 << 16) : driverArena;
  const toDevice = new DelayedPublisher(driverArena, deviceArena, shift);
  const toDriver = new DelayedPublisher(deviceArena, driverArena, -shift);
  return {
    driver: makeDriver(options, driverArena, toDevice, base),
    device: makeDevice(options, deviceArena, toDriver, base + shift),
    toDevice,
    toDriver,
  };
}

/** Every combination that a property runs over. */
export function allOptions(sizes: Record<RingFormat, number>): RigOptions[] {
  const options: RigOptions[] = [];
  for (const format of ['split', 'packed'] as const) {
    for (const eventIdx of [false, true]) {
      for (const inOrder of [false, true]) {
        for (const copy of [false, true]) {
          const features = { eventIdx, inOrder, indirect: true };
          options.push({ format, size: sizes[format], features, copy });
        }
      }
    }
  }
  return options;
}

/** For test titles. */
export function optionsName({ format, size, features, copy }: RigOptions): string {
  const on = (name: string, value: boolean) => (value ? ` ${name}` : '');
  return `${format} of ${size}${on('EVENT_IDX', features.eventIdx)}${on('IN_ORDER', features.inOrder)}${on('INDIRECT', features.indirect)}${on('(copy)', copy)}`;
}
