import type { ConfigFault } from '@vhostlab/contracts';
import { queueSizeProblem } from '@vhostlab/virtqueue';
import {
  BACKENDS,
  createSource,
  guestLayout,
  listWorkloads,
  PAGE_SIZES,
  type PacketFault,
  roleOf,
  type ScenarioConfig,
} from '@vhostlab/workload';
import { checkSwaps } from './instances/check.ts';
import { checkMigration } from './migrate/check.ts';

/** Most queue pairs: every queue and the configuration get an MSI-X vector. */
const MAX_PAIRS = 16;
/** A window lies in an arena of at most 4 GiB, beside everything else. */
const MAX_WINDOW_BYTES = 3 * 2 ** 30;
const ACTIONS: readonly PacketFault['action'][] = ['flip', 'shorten', 'unmap'];

/** What keeps the guests of a scenario from being made; the configuration is parsed JSON and nothing more. */
export function checkGuest(config: ScenarioConfig): ConfigFault[] {
  const found: ConfigFault[] = [];
  const choice = (field: keyof ScenarioConfig, allowed: readonly string[]) => {
    const value = config[field];
    if (typeof value === 'string' && allowed.includes(value)) return;
    found.push({
      field,
      summary: `${JSON.stringify(value)} is not one of ${allowed.join(', ')}; choose one.`,
    });
  };
  choice('backend', BACKENDS);
  choice(
    'workload',
    listWorkloads().map(({ name }) => name),
  );
  choice('ring', ['split', 'packed']);
  choice('pages', Object.keys(PAGE_SIZES));
  choice('guest', ['interrupt', 'poll']);
  const integer = (field: 'guests' | 'queues', from: number, to: number) => {
    const value = config[field];
    if (Number.isInteger(value) && value >= from && value <= to) return;
    found.push({
      field,
      summary: `${JSON.stringify(value)} is not a whole number from ${from} to ${to}; choose one.`,
    });
  };
  integer('queues', 1, MAX_PAIRS);
  const guests = config.workload === 'v2v' ? 2 : 1;
  integer('guests', guests, guests);
  const format = config.ring === 'packed' ? 'packed' : 'split';
  const problem = queueSizeProblem(format, config.ringSize);
  if (problem !== undefined) found.push({ field: 'ringSize', summary: problem });
  found.push(
    ...checkOffloads(config),
    ...checkFaults(config),
    ...checkMigration(config),
    ...checkSwaps(config),
  );
  if (found.length === 0) found.push(...checkTraffic(config));
  return found.length > 0 ? found : checkMemory(config);
}

function checkOffloads(config: ScenarioConfig): ConfigFault[] {
  const { offloads } = config;
  if (typeof offloads !== 'object' || offloads === null) {
    return [{ field: 'offloads', summary: 'There is no object with csum, tso and mrg; add it.' }];
  }
  if (offloads.tso && !offloads.csum) {
    return [{ field: 'offloads.tso', summary: 'Segmentation offload needs checksum offload; set csum too.' }];
  }
  return [];
}

function checkFaults(config: ScenarioConfig): ConfigFault[] {
  const { faults } = config;
  if (!Array.isArray(faults)) return [{ field: 'faults', summary: 'It is not a list; use [] for none.' }];
  const found: ConfigFault[] = [];
  faults.forEach(({ packet, action, value }, i) => {
    const field = `faults.${i}`;
    if (!ACTIONS.includes(action)) {
      found.push({
        field: `${field}.action`,
        summary: `${action} is not one of ${ACTIONS.join(', ')}; choose one.`,
      });
    }
    if (!Number.isSafeInteger(packet) || packet < 0 || !Number.isSafeInteger(value) || value < 0) {
      found.push({ field, summary: 'Packet and value must be whole numbers of at least 0; correct them.' });
    }
    if (action === 'unmap' && config.pages === '1G') {
      found.push({
        field,
        summary: 'Unmapping one packet takes a page of its own, and these have 1 GiB; use 4K or 2M.',
      });
    }
  });
  if (faults.length > 0 && config.workload === 'rx') {
    found.push({
      field: 'faults',
      summary: 'Faults go into frames that a guest sends, and rx sends none; remove them.',
    });
  }
  return found;
}

function checkTraffic(config: ScenarioConfig): ConfigFault[] {
  const { traffic, capture } = config;
  if (typeof traffic !== 'object' || traffic === null) {
    return [{ field: 'traffic', summary: 'There is no description of the traffic; add it.' }];
  }
  if (roleOf(config, 0) !== 'source') return [];
  try {
    createSource(traffic, capture === undefined ? {} : { capture: Buffer.from(capture, 'base64') });
    return [];
  } catch (error) {
    return [{ field: traffic.kind === 'pcap' ? 'capture' : 'traffic', summary: (error as Error).message }];
  }
}

function checkMemory(config: ScenarioConfig): ConfigFault[] {
  try {
    const { bytes } = guestLayout(config, 0);
    if (bytes <= MAX_WINDOW_BYTES) return [];
    const gib = (bytes / 2 ** 30).toFixed(1);
    return [
      { field: 'queues', summary: `The guest would need ${gib} GiB; take fewer queues or smaller rings.` },
    ];
  } catch (error) {
    return [{ field: 'traffic', summary: (error as Error).message }];
  }
}
