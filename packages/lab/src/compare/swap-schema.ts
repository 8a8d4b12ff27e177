import { BACKENDS } from '@vhostlab/workload';
import { z } from 'zod';

const us = (description: string) => z.number().meta({ description: `${description} In µs of virtual time.` });
const count = (description: string) => z.int().min(0).meta({ description });
const backend = (description: string) => z.enum(BACKENDS).meta({ description });

const swap = z.strictObject({
  guest: z.string().meta({ description: 'The guest.' }),
  from: backend('Where its device was.'),
  to: backend('Where it was to go.'),
  path: z.enum(['carried', 'reset', 'failover', 'refused']).meta({
    description:
      'carried: the driver saw nothing. reset: it was told DEVICE_NEEDS_RESET. failover: traffic went over a standby device. refused: the device stayed.',
  }),
  reason: z.string().meta({ description: 'Why that way.' }),
  missing: z
    .array(z.string())
    .meta({ description: 'Features that the driver acknowledged and the new back end does not offer.' }),
  at_us: us('The command, from the start of traffic.'),
  drained_us: us('Nothing was under way on the host any more; 0: it did not come to that.'),
  stopped_us: us('The old rings stood still.'),
  started_us: us('The rings ran at the new back end.'),
  released_us: us('The port of the network card went on.'),
  stopped_for_us: us('From stop to start.'),
  downtime_us: us('From the last frame that a sink took before to the first one after.'),
  drained: z
    .strictObject({ rx: count('Towards the guest.'), tx: count('From the guest.') })
    .meta({ description: 'Frames completed between the command and the stop.' }),
  drain_complete: z
    .boolean()
    .meta({ description: 'false: the old back end was not quiet in time; what it had is among the drops.' }),
  resubmitted: count('Frames that the driver sent again after a reset.'),
});

/** How guests got to other back ends. */
export const swapsSchema = z
  .strictObject({
    changes: z.array(swap).meta({ description: 'In the order of their moments.' }),
    lost: z.record(z.string(), count('Frames.')).meta({ description: 'Lost in the whole run, by reason.' }),
    duplicated: count('Frames that a sink took twice.'),
    reordered: count('Frames that came after a later one of their flow.'),
  })
  .meta({ description: 'How the guest got to other back ends; absent when it was not to.' });
