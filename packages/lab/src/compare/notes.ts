import type { CompareOptions } from '../scenario/options.ts';
import { lateEventNotes } from './event-outcomes.ts';
import { migrationNotes } from './migration-notes.ts';
import type { Result } from './result.ts';
import { swapNotes } from './swap-outcome.ts';

/** An option that is not at its default, the stages that it acts on, and in words what it does there. */
interface Cause {
  applies(options: CompareOptions): string | undefined;
  stages: RegExp;
  meaning: string;
}

const CAUSES: readonly Cause[] = [
  {
    applies: ({ pages }) => (pages === '2M' ? undefined : `--pages ${pages}`),
    stages: /\.tlb$|^nic\.iotlb$/,
    meaning: 'page walks of guest and host CPUs and misses of the IOTLB',
  },
  {
    applies: ({ execution }) => (execution === 'rtc' ? undefined : `--execution ${execution}`),
    stages: /^switch\./,
    meaning: 'the datapath on a core of its own, with rings in between',
  },
  {
    applies: ({ guest }) => (guest === undefined ? undefined : `--guest ${guest}`),
    stages: /^kvm\.|^guest\.napi_poll$|^guest\.kick$|^vhost\.call$|^vhost\.wakeup$|^nic\.interrupt$/,
    meaning: 'kicks, calls, exits and wake-ups',
  },
  {
    applies: ({ queues }) => (queues === 1 ? undefined : `--queues ${queues}`),
    stages: /./,
    meaning: 'each queue pair brings a vCPU and a host core; one flow keeps to one of them',
  },
  {
    applies: ({ ring }) => (ring === 'split' ? undefined : `--ring ${ring}`),
    stages:
      /^guest\.vring_add$|^guest\.napi_poll$|^vhost\.fetch$|^vhost\.used$|^nic\.desc_read$|^nic\.used_write$/,
    meaning: 'descriptor and used entry share a line, and a device reads one structure instead of three',
  },
  {
    applies: ({ size }) => (size === '64' ? undefined : `--size ${size}`),
    stages: /copy$|^nic\.dma_|^wire\./,
    meaning: 'costs per byte: copies, DMA and the wire',
  },
  {
    applies: ({ flows }) => (flows === 1 ? undefined : `--flows ${flows}`),
    stages: /^switch\.|^nic\.eswitch$/,
    meaning: 'flow caches: more flows miss the first of them, new ones go up to the switch service',
  },
];

/**
 * Why figures are what they are, one sentence per option that was changed and row that it touches, made of the
 * run's own stage times.
 */
export function notesOf(results: readonly Result[], options: CompareOptions): string[] {
  const notes: string[] = [];
  for (const { applies, stages, meaning } of CAUSES) {
    const option = applies(options);
    if (option === undefined) continue;
    for (const result of results) {
      const touched = result.stages.filter(({ stage }) => stages.test(stage));
      const ns = touched.reduce((sum, { ns_per_packet }) => sum + ns_per_packet, 0);
      const all = result.stages.reduce((sum, { ns_per_packet }) => sum + ns_per_packet, 0);
      const missing = result.not_applicable.find((entry) => entry.option === option);
      if (missing !== undefined)
        notes.push(`${result.workload} over ${result.backend}, ${option}: ${missing.reason}.`);
      else if (ns > 0) {
        const share = Math.round((ns / all) * 100);
        const top = [...touched].sort((x, y) => y.ns_per_packet - x.ns_per_packet).slice(0, 3);
        const named = top
          .map(({ stage, ns_per_packet }) => `${stage} ${ns_per_packet.toFixed(0)} ns`)
          .join(', ');
        notes.push(
          `${result.workload} over ${result.backend}, ${option} acts through ${meaning}: ${ns.toFixed(0)} ns per packet, ${share} % of all stage time (${named}).`,
        );
      } else
        notes.push(
          `${result.workload} over ${result.backend}, ${option}: no time is spent there, so it moves nothing.`,
        );
    }
  }
  for (const { workload, backend, events, migration, swaps } of results)
    for (const note of [...lateEventNotes(events), ...migrationNotes(migration), ...swapNotes(swaps)])
      notes.push(`${workload} over ${backend}: ${note}`);
  return notes;
}
