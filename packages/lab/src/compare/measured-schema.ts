import { z } from 'zod';

const ms = (description: string) =>
  z
    .number()
    .min(0)
    .meta({ description: `${description} In ms.` });
const count = (description: string) => z.int().min(0).meta({ description });
const figure = (description: string) => z.number().min(0).meta({ description });
const name = (description: string) => z.string().min(1).meta({ description });

const coupling = z
  .strictObject({
    lambda: figure('Coupling factor L·E / (τ·P); below 1 the processes make the run slower.'),
    lookahead_ns: figure('L: shortest latency of a channel between two processes.'),
    events_per_virtual_second: figure(
      'E: engine runs per second of virtual time, from the start of traffic.',
    ),
    events_per_cpu_second: figure('P: engine runs per second of work.'),
    message_us: figure('τ: time of one message between a process and the lab.'),
    best_cut: z
      .strictObject({
        processes: z.array(z.array(z.string())).meta({ description: 'Services that stay together.' }),
        lookahead_ns: figure('Shortest latency between them.'),
        lambda: figure('Coupling factor of this run with that cut.'),
      })
      .optional()
      .meta({ description: 'The cut with the longest lookahead.' }),
    advice: name('Where to cut, one sentence or two.'),
  })
  .meta({ description: 'Whether dividing the run over processes can pay.' });

const measurement = z
  .strictObject({
    run: name('`workload/backend`.'),
    wall_ms: ms('From the first to the last round.'),
    rounds: count('Rounds of bounds and reports.'),
    rounds_empty: count('Rounds in which no process sent anything.'),
    windows: count('Windows granted, over all processes.'),
    windows_empty: count('Windows in which a process took and sent nothing.'),
    null_message_ratio: z.number().min(0).max(1).meta({ description: 'windows_empty over windows.' }),
    processes: z
      .array(
        z.strictObject({
          process: name('Names of its services joined with +.'),
          windows: count('Windows that it was granted.'),
          windows_empty: count('Of these, windows in which it took and sent nothing.'),
          events: count('Engine runs executed.'),
          work_ms: ms('Running its cores.'),
          blocked_ms: ms('Inside a window, until batches of its neighbours had arrived.'),
          waiting_ms: ms('Until another process was done with the round.'),
          messages_ms: ms('Messages between it and the lab, and the lab itself.'),
        }),
      )
      .meta({ description: 'Time of each process; the four add up to wall_ms.' }),
    waits: z
      .array(
        z.strictObject({
          process: name('Who waited.'),
          on: name('Who was slowest in those rounds.'),
          ms: ms('For how long.'),
        }),
      )
      .meta({ description: 'Who waited for whom.' }),
    channels: z
      .array(
        z.strictObject({
          channel: name('Id of the channel.'),
          between: z.tuple([z.string(), z.string()]).meta({ description: 'The two processes.' }),
          latency_ns: figure('Shorter of its two latencies.'),
          batches: count('Messages on the network, both directions together.'),
          messages: count('Engine messages in them.'),
          payload_bytes: count('Their bytes.'),
          blocked_ms: z
            .record(z.string(), ms('How long that process was blocked on it.'))
            .meta({ description: 'By process; those that never waited are left out.' }),
        }),
      )
      .meta({ description: 'Channels between processes.' }),
    coupling,
  })
  .meta({ description: 'One workload over one back end.' });

/** Where the wall-clock time of runs over several processes went. */
export const measuredSchema = z
  .strictObject({
    machine: name('CPU, number of CPUs and version of Node of the lab.'),
    runs: z.array(measurement).min(1),
  })
  .meta({
    description:
      'Measured on the wall clock of the machine named, unlike the rows of results, which are modelled: no two runs are alike. Absent when all services shared a process.',
  });
