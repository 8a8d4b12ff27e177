import type { EventLogSection, LogRecord } from '../read-log.ts';
import { hexNumber } from './ring-fields.ts';
import { COMMON, RingMap, type VirtqueueSetup } from './ring-map.ts';
import { type Tap, tapOf } from './taps.ts';

/** One step of set-up. */
export interface SetupStep {
  number: number;
  /** Nanoseconds since the start of the run. */
  time_ns: number;
  core: string;
  words: string;
  details: string[];
  /** Register accesses that trapped. */
  exits: number;
  clause?: string;
}

/** A part of the memory map that set-up left behind. */
export interface MapEntry {
  what: string;
  gpa: number;
  bytes: number;
  /** Where the back end or the NIC finds it. */
  mapped?: { kind: 'HVA' | 'IOVA'; value: number };
}

/** How guest, VMM and device came to terms. */
export interface SetupWalk {
  backend: string;
  show: 'setup';
  steps: SetupStep[];
  memory: MapEntry[];
}

/** What a message between VMM and back end says, by whoever knows its contract. */
export interface MessageText {
  details: string[];
  /** Guest memory that it maps. */
  maps: MapEntry[];
}
export type DescribeMessage = (channel: string, bytes: Uint8Array) => MessageText | undefined;

/** PCI configuration space and MSI-X table in the register file of a function. */
const PCI_CONFIG = 0x10_0000;
const MSIX_TABLE = { from: 0x3000, to: 0x4000 };
const COMMON_BYTES = 0x40;
const NOTIFY = 0x5000;

const STATUS: readonly [number, string][] = [
  [1, 'ACKNOWLEDGE'],
  [2, 'DRIVER'],
  [8, 'FEATURES_OK'],
  [4, 'DRIVER_OK'],
  [64, 'DEVICE_NEEDS_RESET'],
  [128, 'FAILED'],
];

type Access = Extract<Tap, { kind: 'read' | 'write' }>;

/** What a run of register accesses was about. */
interface Topic {
  words: string;
  clause?: string;
  detail?: string;
  /** Ends the step: the next access begins another one even when it is about the same. */
  ends?: boolean;
}

/**
 * Set-up as numbered steps from a log made with taps: register accesses grouped by what they are about, notes
 * of the components, and messages between VMM and back end where `describe` knows them.
 */
export function walkSetup(
  section: EventLogSection,
  backend: string,
  describe: DescribeMessage = () => undefined,
): SetupWalk {
  const steps: SetupStep[] = [];
  const memory: MapEntry[] = [];
  const map = new RingMap();
  const features = new FeatureWords();
  let topic = '';
  /** What a core's last request said: its next note tells that it was answered. */
  const asked = new Map<string, string[]>();
  const add = (record: LogRecord, words: string, details: string[], exits: number, clause?: string): void => {
    steps.push({
      number: steps.length + 1,
      time_ns: record.timePs / 1000,
      core: record.core,
      words,
      details,
      exits,
      ...(clause === undefined ? {} : { clause }),
    });
  };
  for (const record of section.read()) {
    if (record.kind === 'event' && record.packet >= 0) break;
    const tap = tapOf(record);
    if (tap === undefined) {
      if (record.kind !== 'note' || record.stage !== 'setup') continue;
      const said = asked.get(record.core);
      asked.delete(record.core);
      const last = steps.at(-1);
      if (said === undefined && last?.core === record.core && last.time_ns === record.timePs / 1000) {
        last.details.push(record.text);
      } else add(record, record.text, said ?? [], 0);
      topic = '';
      continue;
    }
    const queue = map.learn(tap);
    if ((tap.kind === 'write' || tap.kind === 'read') && tap.channel.startsWith('pci.')) {
      const next = topicOf(tap, features, queue);
      const traps = isTrapped(tap, backend) ? 1 : 0;
      const last = steps.at(-1);
      if (next.words === topic && last !== undefined) {
        last.exits += traps;
        if (next.detail !== undefined) last.details.push(next.detail);
      } else add(record, next.words, next.detail === undefined ? [] : [next.detail], traps, next.clause);
      topic = next.ends === true ? '' : next.words;
      if (queue !== undefined) memory.push(...ringEntries(queue));
    } else if (tap.kind === 'request') {
      const text = describe(tap.channel, tap.bytes);
      if (text === undefined) continue;
      asked.set(record.core, text.details);
      memory.push(...text.maps);
    }
  }
  return { backend, show: 'setup', steps, memory: withTranslations(memory) };
}

/** Emulated functions trap every access, a passed-through one its configuration space and MSI-X table. */
function isTrapped({ register }: Access, backend: string): boolean {
  return backend !== 'vfio' || register >= PCI_CONFIG || isMsix(register);
}

function isMsix(register: number): boolean {
  return register >= MSIX_TABLE.from && register < MSIX_TABLE.to;
}

function topicOf(access: Access, features: FeatureWords, queue: VirtqueueSetup | undefined): Topic {
  const { kind, register, value } = access;
  if (register >= PCI_CONFIG) {
    return {
      words: 'the driver reads the PCI configuration space: virtio capabilities say where the registers are',
      clause: 'virtio 1.3, 4.1.4',
    };
  }
  if (isMsix(register)) {
    return {
      words: 'the driver fills the MSI-X table: one vector per queue and one for configuration changes',
      clause: 'virtio 1.3, 4.1.5.1.2',
    };
  }
  if (register >= COMMON_BYTES) {
    return register >= NOTIFY
      ? { words: 'the driver writes a notification register', clause: 'virtio 1.3, 4.1.5.2' }
      : { words: 'the driver reads the device configuration', clause: 'virtio 1.3, 5.1.4' };
  }
  if (register === COMMON.device_status) {
    if (kind === 'read') return { words: 'the driver reads device_status', detail: statusNames(value) };
    const words =
      value === 0 ? 'the driver resets the device' : `the driver sets device_status: ${statusNames(value)}`;
    return { words, clause: value === 0 ? 'virtio 1.3, 4.1.4.3' : 'virtio 1.3, 3.1.1', ends: true };
  }
  if (register <= COMMON.driver_feature) {
    const detail = features.take(access);
    const isDriver = register >= COMMON.driver_feature_select;
    return {
      words: isDriver ? 'the driver accepts features' : 'the driver reads what features the device offers',
      clause: 'virtio 1.3, 2.2',
      ...(detail === undefined ? {} : { detail }),
    };
  }
  if (register === COMMON.config_msix_vector || register === COMMON.num_queues) {
    return {
      words: 'the driver sets the vector of configuration changes and asks how many queues there are',
      clause: 'virtio 1.3, 4.1.4.3',
    };
  }
  return {
    words: 'the driver sets up the queues',
    clause: 'virtio 1.3, 4.1.5.1.3',
    ...(queue === undefined ? {} : { detail: queueText(queue) }),
  };
}

function queueText({ name, index, size, vector, packed, desc, driver, device }: VirtqueueSetup): string {
  const areas = packed
    ? `descriptor ring GPA ${hexNumber(desc)}, driver event ${hexNumber(driver)}, device event ${hexNumber(device)}`
    : `descriptors GPA ${hexNumber(desc)}, available ring ${hexNumber(driver)}, used ring ${hexNumber(device)}`;
  return `queue ${index} (${name}): ${packed ? 'packed' : 'split'}, ${size} entries, ${areas}, MSI-X vector ${vector}`;
}

function statusNames(value: number): string {
  const names = STATUS.filter(([bit]) => value & bit).map(([, name]) => name);
  return names.length > 0 ? names.join(' ') : '0';
}

function ringEntries({ guest, name, size, packed, desc, driver, device }: VirtqueueSetup): MapEntry[] {
  const what = `guest ${guest} ${name} ring`;
  if (packed) {
    return [
      { what: `${what}: descriptors`, gpa: desc, bytes: 16 * size },
      { what: `${what}: driver event`, gpa: driver, bytes: 4 },
      { what: `${what}: device event`, gpa: device, bytes: 4 },
    ];
  }
  return [
    { what: `${what}: descriptors`, gpa: desc, bytes: 16 * size },
    { what: `${what}: available`, gpa: driver, bytes: 6 + 2 * size },
    { what: `${what}: used`, gpa: device, bytes: 6 + 8 * size },
  ];
}

/** Regions first, without repetition; rings take the translation of the region that they lie in. */
function withTranslations(entries: readonly MapEntry[]): MapEntry[] {
  const unique = entries.filter(
    (entry, i) => entries.findIndex((other) => JSON.stringify(other) === JSON.stringify(entry)) === i,
  );
  const regions = unique.filter(({ mapped }) => mapped !== undefined);
  const rings = unique.filter(({ mapped }) => mapped === undefined);
  return [
    ...regions,
    ...rings.map((ring) => {
      const region = regions.find(({ gpa, bytes }) => ring.gpa >= gpa && ring.gpa < gpa + bytes);
      if (region?.mapped === undefined) return ring;
      const { kind, value } = region.mapped;
      return { ...ring, mapped: { kind, value: value + ring.gpa - region.gpa } };
    }),
  ];
}

/** Puts the two halves of feature words together. */
class FeatureWords {
  #deviceSelect = 0;
  #driverSelect = 0;

  /** The word that an access moves, in words. */
  take({ register, value }: Access): string | undefined {
    if (register === COMMON.device_feature_select) this.#deviceSelect = value;
    if (register === COMMON.driver_feature_select) this.#driverSelect = value;
    if (register === COMMON.device_feature) return bits(this.#deviceSelect, value);
    return register === COMMON.driver_feature ? bits(this.#driverSelect, value) : undefined;
  }
}

function bits(select: number, value: number): string {
  return `bits ${select * 32} to ${select * 32 + 31}: ${hexNumber(value)}`;
}
