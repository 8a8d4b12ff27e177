import { OPS } from '@vhostlab/engine';
import { type Journey, packetJourneys } from '../journey.ts';
import type { EventLogSection, LogRecord } from '../read-log.ts';
import { type OwnedChange, type RingChange, RingChanges } from './ring-changes.ts';
import { RingMap } from './ring-map.ts';
import type { MapEntry } from './setup-walk.ts';
import { type AddressKind, stageText, type WalkRun } from './stages.ts';
import { type Tap, tapOf } from './taps.ts';

/** What one step costs besides time. */
export interface StepCounts {
  kicks: number;
  calls: number;
  exits: number;
  copies: number;
  copied_bytes: number;
  dma: number;
  dma_bytes: number;
}

/** One numbered step of a walk. */
export interface WalkStep {
  number: number;
  /** Nanoseconds from the first step's end. */
  time_ns: number;
  core: string;
  stage: string;
  words: string;
  /** `same` is the same byte in the address space of the memory map. */
  address?: { kind: AddressKind; value: number; same?: { kind: AddressKind; value: number } };
  /** Bytes of the packet that the step is about; 0: of none. */
  bytes: number;
  rings: RingChange[];
  counts: StepCounts;
  clause?: string;
}

/** The walk of one packet. */
export interface PacketWalk {
  backend: string;
  show: 'tx' | 'rx';
  packet: number;
  steps: WalkStep[];
}

/** An event of the walk with its place in the log. */
interface Seen {
  record: LogRecord;
  order: number;
  run: number;
  rings: RingChange[];
}

/** A change and where it was noted. */
interface Noted extends OwnedChange {
  core: string;
  order: number;
  run: number;
}

/** Stages that show no matter how often: of two packets the one with more of them teaches more. */
const UNUSUAL = new Set(['switch.upcall', 'switch.offload_insert', 'representor.rx']);

/**
 * One packet's way as numbered steps, generated from a log made with taps. The packet is the one whose way
 * shows most different stages without being the first of its flow. Events without a packet (a call) belong to
 * it while no other packet has begun. `memory` is the memory map of the set-up, if known, for addresses in the
 * other space. Throws when the section has no sampled packet.
 */
export function walkPacket(
  section: EventLogSection,
  backend: string,
  show: 'tx' | 'rx',
  memory: readonly MapEntry[] = [],
): PacketWalk {
  const journeys = packetJourneys(section);
  const packetless = [...section.read()].filter(({ kind, packet }) => kind === 'event' && packet < 0);
  const journey = richest(journeys, packetless);
  if (journey === undefined) throw new Error(`${section.name}: the event log has no sampled packet`);
  const { seen, noted, packed } = collect(section, journeys, journey);
  const run: WalkRun = { backend, direction: show, packed };
  for (const one of noted) if (isAbout(one, seen)) attach(one, seen);
  seen.sort((x, y) => x.record.timePs - y.record.timePs || x.order - y.order);
  const firstPs = seen[0].record.timePs;
  const steps = seen.map((one, i) => stepOf(one, i + 1, firstPs, run, memory));
  return { backend, show, packet: journey.packet, steps };
}

/** Moment at which the next packet begins: until then what has no packet belongs to this one. */
function endOf(journeys: readonly Journey[], journey: Journey): number {
  const later = journeys.map(({ startPs }) => startPs).filter((startPs) => startPs > journey.startPs);
  return Math.min(Number.POSITIVE_INFINITY, ...later);
}

function richest(journeys: readonly Journey[], packetless: readonly LogRecord[]): Journey | undefined {
  let best: Journey | undefined;
  let most = -1;
  for (const journey of journeys) {
    const stages = new Set(journey.steps.map(({ stage }) => stage));
    const until = endOf(journeys, journey);
    for (const { timePs, stage } of packetless) {
      if (timePs >= journey.startPs && timePs < until) stages.add(stage);
    }
    const isUnusual = [...stages].some((stage) => UNUSUAL.has(stage));
    const score = isUnusual ? 0 : stages.size;
    if (score <= most) continue;
    most = score;
    best = journey;
  }
  return best;
}

function collect(
  section: EventLogSection,
  journeys: readonly Journey[],
  journey: Journey,
): { seen: Seen[]; noted: Noted[]; packed: boolean } {
  const map = new RingMap();
  const changes = new RingChanges(map);
  const until = Math.max(endOf(journeys, journey), journey.endPs);
  const seen: Seen[] = [];
  const noted: Noted[] = [];
  let order = 0;
  let run = 0;
  for (const record of section.read()) {
    order++;
    if (record.kind === 'run') run = order;
    const tap: Tap | undefined = tapOf(record);
    if (tap !== undefined) {
      map.learn(tap);
      const isOurs = record.timePs >= journey.startPs && record.timePs <= until;
      for (const owned of changes.take(tap)) {
        if (isOurs && owned.change.before !== owned.change.after) {
          noted.push({ ...owned, core: record.core, order, run });
        }
      }
    }
    if (record.kind !== 'event') continue;
    const isWithout = record.packet < 0 && record.timePs >= journey.startPs && record.timePs < until;
    if (record.packet === journey.packet || isWithout) seen.push({ record, order, run, rings: [] });
  }
  return { seen, noted, packed: map.virtqueues.some(({ packed }) => packed) };
}

/** True for a change of a descriptor or entry of the packet's own buffer, and for what speaks of all buffers. */
function isAbout({ change, buffer }: Noted, seen: readonly Seen[]): boolean {
  if (buffer === undefined) return change.kind !== 'split.used' && change.kind !== 'split.entry';
  const isNic = change.kind === 'nic.rx' || change.kind === 'nic.tx';
  return seen.some(({ record: { stage, address } }) => {
    const isThere = address >= buffer.address && address < buffer.address + buffer.bytes;
    return isThere && (isNic ? stage.startsWith('nic.') : /^(guest|vhost|nic)\./.test(stage));
  });
}

/** Steps that a change belongs to, by what was changed: most fitting first. */
function stagesOf({ what, kind }: RingChange): readonly string[] {
  if (kind === 'nic.tx') return ['nic.doorbell', 'nic.desc_read'];
  if (kind === 'nic.rx') return ['nic.used_write', 'softirq.poll'];
  if (/ (desc|avail)/.test(what) && kind !== 'split.event') {
    return kind === 'packed.desc'
      ? ['guest.vring_add', 'vhost.used', 'nic.used_write']
      : ['guest.vring_add', 'guest.skb_deliver', 'guest.napi_poll'];
  }
  if (/ used\./.test(what)) return ['vhost.used', 'nic.used_write'];
  return [];
}

/** Puts a change to the step in the same run that made it; else to the nearest one of its core. */
function attach({ change, core, order, run }: Noted, seen: readonly Seen[]): void {
  const here = seen.filter((one) => one.record.core === core);
  const same = here.filter((one) => one.run === run);
  const maker = stagesOf(change)
    .map((stage) => same.find((one) => one.record.stage === stage))
    .find((one) => one !== undefined);
  const candidates = same.length > 0 ? same : here;
  const step = maker ?? candidates.filter((one) => one.order < order).at(-1) ?? candidates[0];
  if (step === undefined) return;
  const known = step.rings.find(({ what }) => what === change.what);
  if (known === undefined) step.rings.push(change);
  else Object.assign(known, { after: change.after, meaning: change.meaning });
}

function stepOf(
  { record, rings }: Seen,
  number: number,
  firstPs: number,
  run: WalkRun,
  memory: readonly MapEntry[],
): WalkStep {
  const { words, address, clause } = stageText(record.stage, run);
  return {
    number,
    time_ns: (record.timePs - firstPs) / 1000,
    core: record.core,
    stage: record.stage,
    words,
    ...(address === undefined || record.packet < 0
      ? {}
      : { address: addressOf(address, record.address, memory) }),
    bytes: record.packet < 0 || address === undefined || NO_BYTES.has(record.stage) ? 0 : record.length,
    rings,
    counts: countsOf(record, run),
    ...(clause === undefined ? {} : { clause }),
  };
}

/** Stages whose length counts something else. */
const NO_BYTES = new Set(['switch.actions']);

/** An address with its translation by the memory map: descriptors hold GPA, which the device calls IOVA. */
function addressOf(
  kind: AddressKind,
  value: number,
  memory: readonly MapEntry[],
): NonNullable<WalkStep['address']> {
  const region = memory.find(
    ({ gpa, bytes, mapped }) => mapped !== undefined && value >= gpa && value < gpa + bytes,
  );
  if (region?.mapped === undefined || kind !== 'GPA') return { kind, value };
  return { kind, value, same: { kind: region.mapped.kind, value: region.mapped.value + value - region.gpa } };
}

const DESC_BYTES = 16;

/** What a stage's operations count; a stage that may count several things counts the first. */
const COUNTS = new Map(
  OPS.filter(({ counts }) => counts !== 'none')
    .map(({ stage, counts }): [string, string] => [stage, counts])
    .reverse(),
);

function countsOf({ stage, length }: LogRecord, { backend }: WalkRun): StepCounts {
  const counts = COUNTS.get(stage);
  const isPosted = stage === 'kvm.inject';
  const isDma = counts === 'dma';
  const moved = stage === 'nic.used_write' ? 0 : stage === 'nic.desc_read' ? DESC_BYTES : length;
  return {
    kicks: counts === 'kick' ? 1 : 0,
    calls: stage === 'vhost.call' || (stage === 'nic.interrupt' && isDirect(backend)) ? 1 : 0,
    exits: counts === 'exit' && !isPosted ? 1 : 0,
    copies: counts === 'copy' ? 1 : 0,
    copied_bytes: counts === 'copy' ? length : 0,
    dma: isDma ? 1 : 0,
    dma_bytes: isDma ? moved : 0,
  };
}

/** The NIC itself notifies the guest. */
function isDirect(backend: string): boolean {
  return backend === 'vfio' || backend === 'vdpa';
}
