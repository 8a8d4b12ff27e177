import type { EventLogSection } from './read-log.ts';

/** One step of one packet. */
export interface JourneyStep {
  stage: string;
  core: string;
  /** The step's work: from when its core turned to it to when it was done, ps. */
  startPs: number;
  endPs: number;
  /** Time from the end of the step before to the start of this one: queueing, latency, wake-up. */
  waitPs: number;
  /** What `address` and `length` of the event were; their meaning depends on the stage. */
  address: number;
  length: number;
}

/** One sampled packet from its first to its last event. */
export interface Journey {
  packet: number;
  startPs: number;
  endPs: number;
  steps: JourneyStep[];
}

interface SeenEvent {
  stage: string;
  core: string;
  timePs: number;
  runStartPs: number;
  address: number;
  length: number;
}

/**
 * The journeys of all sampled packets of a section, by packet number. An event marks the end of its step; the
 * step began when its run did or when the packet's step before it ended, whichever was later.
 */
export function packetJourneys(section: EventLogSection): Journey[] {
  const events = new Map<number, SeenEvent[]>();
  let runStartPs = 0;
  for (const record of section.read()) {
    if (record.kind === 'run') runStartPs = record.timePs;
    if (record.kind !== 'event' || record.packet < 0) continue;
    const { stage, core, timePs, address, length } = record;
    const seen = { stage, core, timePs, runStartPs, address, length };
    const list = events.get(record.packet);
    if (list === undefined) events.set(record.packet, [seen]);
    else list.push(seen);
  }
  return [...events]
    .sort(([x], [y]) => x - y)
    .map(([packet, list]) => ({ packet, ...stepsOf(list.sort((x, y) => x.timePs - y.timePs)) }));
}

function stepsOf(events: readonly SeenEvent[]): Omit<Journey, 'packet'> {
  const steps: JourneyStep[] = [];
  let beforePs = Math.min(events[0].runStartPs, events[0].timePs);
  for (const { stage, core, timePs, runStartPs, address, length } of events) {
    const startPs = Math.min(timePs, Math.max(beforePs, runStartPs));
    steps.push({ stage, core, startPs, endPs: timePs, waitPs: startPs - beforePs, address, length });
    beforePs = timePs;
  }
  return { startPs: steps[0].startPs, endPs: beforePs, steps };
}

/** The journey of one packet, or undefined when it was not sampled or left no event. */
export function packetJourney(section: EventLogSection, packet: number): Journey | undefined {
  return packetJourneys(section).find((journey) => journey.packet === packet);
}

/** A journey with fewer steps than this share of the longest ended early: the packet was dropped. */
const COMPLETE = 0.75;

/**
 * The journey that stands for all: the median by total time (the lower one of two) among those that got as far
 * as any, so that a dropped packet never represents delivered ones. Undefined for no journey.
 */
export function representativeJourney(journeys: readonly Journey[]): Journey | undefined {
  const longest = Math.max(0, ...journeys.map(({ steps }) => steps.length));
  const complete = journeys
    .filter(({ steps }) => steps.length >= longest * COMPLETE)
    .sort((x, y) => x.endPs - x.startPs - (y.endPs - y.startPs) || x.packet - y.packet);
  return complete[(complete.length - 1) >> 1];
}
