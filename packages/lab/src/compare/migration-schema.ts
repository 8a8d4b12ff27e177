import { z } from 'zod';

const us = (description: string) => z.number().meta({ description: `${description} In µs of virtual time.` });
const count = (description: string) => z.int().min(0).meta({ description });
const figure = (description: string) => z.number().min(0).meta({ description });
const text = (description: string) => z.string().meta({ description });

/** How a guest got to another host. */
export const migrationSchema = z
  .strictObject({
    guest: text('The guest.'),
    to: text('The host that it went to.'),
    state: z.enum(['complete', 'refused', 'unfinished']).meta({
      description: 'refused: the guest stayed; unfinished: the run ended before the guest went on.',
    }),
    reason: text('Why it was refused, or what of the result cannot be trusted; empty when nothing is said.'),
    verification: z
      .enum(['passed', 'failed', 'not reached'])
      .meta({ description: 'Whether guest memory was the same on both hosts when the guest went on.' }),
    stale_pages: count('Pages that were not.'),
    stale_at: z.array(z.string()).meta({ description: 'Guest addresses of the first of them.' }),
    memory_pages: count('Pages of 4096 bytes that the guest has.'),
    copied_pages: count('Pages sent, again and again counted.'),
    copied_bytes: count('Their bytes.'),
    rounds: z
      .array(
        z.strictObject({
          kind: z
            .enum(['all', 'dirty', 'stop'])
            .meta({ description: 'stop: with the guest standing still.' }),
          pages: count('Pages sent.'),
          bytes: count('Their bytes.'),
          from_vcpus: count('Pages that vCPUs had written, by each look at their log.'),
          from_backend: count('Pages that the back end had written.'),
          from_us: us('From the start of traffic.'),
          to_us: us('The last page has left.'),
        }),
      )
      .meta({ description: 'Rounds of copying.' }),
    phases: z
      .array(
        z.strictObject({
          phase: z.enum(['before', 'setup', 'copy', 'shadow', 'stop', 'resumed']).meta({
            description: 'before: from the start of traffic; shadow: copying behind a shadow virtqueue.',
          }),
          from_us: us('From the start of traffic.'),
          to_us: us('Its end.'),
          exits: count('Exits of vCPUs.'),
          host_cores: figure('Host cores in use: 1 per polling core, busy time of the others.'),
        }),
      )
      .meta({ description: 'Parts of the migration.' }),
    total_us: us('From the command to the guest that goes on.'),
    downtime_us: us('The vCPUs stood still.'),
    frames: z
      .strictObject({
        lost: count('Offered and never delivered, for whatever reason.'),
        duplicated: count('Taken by a sink that had taken them before.'),
        reordered: count('Taken after a later one of the same flow.'),
      })
      .meta({ description: 'Of the whole run.' }),
    timeline: z
      .strictObject({
        span_us: us('Length of a span.'),
        host_cores: z.array(z.number()).meta({ description: 'By span, from the start of traffic.' }),
        exits: z.array(z.int().min(0)).meta({ description: 'By span.' }),
      })
      .meta({ description: 'What the migration costs, over time.' }),
  })
  .meta({ description: 'How the guest got to another host; absent when it was not to.' });
