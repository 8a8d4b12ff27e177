import { BACKENDS, listWorkloads } from '@vhostlab/workload';
import { z } from 'zod';
import { ROW_NAME } from '../scenario/plugin-choice.ts';
import { measuredSchema } from './measured-schema.ts';
import { migrationSchema } from './migration-schema.ts';
import { swapsSchema } from './swap-schema.ts';

const figure = (description: string) => z.number().min(0).meta({ description });
const count = (description: string) => z.int().min(0).meta({ description });
const sha256 = (description: string) =>
  z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .meta({ description });

const account = z
  .enum(['host', 'guest', 'hardware'])
  .meta({ description: 'Who spends the time: a host core, a vCPU, or a device beside the CPUs.' });

const builtInRow = z
  .strictObject({
    workload: z.enum(listWorkloads().map(({ name }) => name)),
    backend: z.enum(BACKENDS),
    clock: z.literal('virtual').meta({ description: 'virtual: modelled with the cost profile of the run.' }),
    throughput_mpps: figure('Frames delivered to the sinks, in millions per second of virtual time.'),
    throughput_gbps: figure('The same in 10^9 bits per second, counting frame bits with the FCS.'),
    latency_us: z
      .strictObject({
        p50: figure('Median.'),
        p90: figure('90th percentile.'),
        p99: figure('99th percentile.'),
        max: figure('Largest.'),
      })
      .meta({ description: 'From birth of a frame to its sink in µs; for rr the round trip of a request.' }),
    host_cores: figure(
      'Host cores in use from the start of traffic: 1 per polling core, busy time of the others.',
    ),
    guest_cores: figure('vCPUs in use, counted in the same way.'),
    per_packet: z
      .strictObject({
        kicks: figure('Notifications from driver to device.'),
        calls: figure('Notifications from device to driver: call eventfd, MSI-X message, interrupt.'),
        exits: figure('Exits of a vCPU to the hypervisor.'),
        copies: figure('Copies of the payload by a CPU.'),
        copied_bytes: figure('Bytes that those copies moved.'),
        dma_bytes: figure('Bytes that devices moved over PCI Express by DMA, descriptors included.'),
      })
      .meta({ description: 'Counts divided by delivered frames.' }),
    frames: z
      .strictObject({
        offered: count('Frames that the sources made.'),
        delivered: count('Frames that the sinks took.'),
        dropped: count('All others: the sum of drops.'),
      })
      .meta({ description: 'offered = delivered + dropped, always.' }),
    drops: z
      .record(z.string(), count('Frames dropped for that reason.'))
      .meta({ description: 'Dropped frames by reason.' }),
    frames_sha256: sha256(
      'SHA-256 of u32le length and bytes of each delivered frame in order; several queues: of their hashes in queue order.',
    ),
    bottleneck: z
      .strictObject({
        core: z.string().meta({ description: 'Name of the core.' }),
        stage: z.string().meta({ description: 'The stage on which it spends most.' }),
      })
      .meta({ description: 'The core that is busiest with useful work.' }),
    stages: z
      .array(z.strictObject({ stage: z.string(), account, ns_per_packet: figure('ns per delivered frame.') }))
      .meta({ description: 'Where the time goes, by who spends it and stage.' }),
    not_applicable: z
      .array(z.strictObject({ option: z.string(), reason: z.string() }))
      .meta({ description: 'Options of the run that this back end does not have.' }),
    events: z
      .array(
        z.strictObject({
          at_us: figure('Microseconds from the start of traffic.'),
          event: z.string().meta({ description: 'What was to happen.' }),
          took_effect: z.boolean().meta({ description: 'false: the run was over by then.' }),
        }),
      )
      .optional()
      .meta({ description: 'Events of the lab file, in the order of their moments; absent without any.' }),
    migration: migrationSchema.optional(),
    swaps: swapsSchema.optional(),
  })
  .meta({ description: 'One built-in back end under one workload.' });

const pluginRow = builtInRow
  .extend({
    backend: z.string().regex(ROW_NAME).meta({ description: 'Name of the row.' }),
    plugin: z
      .strictObject({
        name: z.string().min(1),
        version: z.string().min(1),
        attaches_as: z.enum(BACKENDS).meta({ description: 'The back end in whose place it stands.' }),
        options: z.record(z.string(), z.unknown()).meta({ description: 'Its options in this run.' }),
      })
      .meta({ description: 'The plugin that carried the frames.' }),
  })
  .meta({ description: 'A plugin under one workload.' });

/** One row of a comparison: one back end or plugin under one workload. */
export const resultSchema = z.union([builtInRow, pluginRow]);

/** What `vhostlab compare --json` prints: one run with a row for each workload and back end. */
export const comparisonSchema = z.strictObject({
  run: z.strictObject({
    id: z.string().min(1).meta({ description: 'Name of the run folder.' }),
    clock: z.literal('virtual'),
    profile: z.string().min(1).meta({ description: 'Cost profile: the machine whose costs were charged.' }),
    seed: count('Seed of everything random in the run.'),
    placement: z
      .enum(['embedded', 'process'])
      .meta({ description: 'Services in one process, or in one process each.' }),
    packets: z
      .record(z.string(), z.int().min(1))
      .meta({ description: 'Packets (rr: transactions) that each workload was to send, by workload.' }),
  }),
  results: z.array(resultSchema).meta({ description: 'Rows in the order of workloads, then of back ends.' }),
  event_log_sha256: sha256('SHA-256 of events.vlog of the run folder.'),
  measured: measuredSchema.optional(),
});
