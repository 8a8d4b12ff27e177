import { BACKENDS, type BackendName } from '@vhostlab/workload';
import { z } from 'zod';
import { part } from '../part.ts';
import type { LabEventKind } from './event-kind.ts';

/** `swap` of an event: which guest goes to which back end. */
export const swapEventSchema = part({
  guest: z.string().meta({ description: 'Guest whose device moves.' }),
  to: z
    .enum(BACKENDS, {
      error: ({ input }) => `back end "${input}" is unknown; there are ${BACKENDS.join(', ')}`,
    })
    .meta({ description: 'Back end that its device goes to.' }),
}).meta({ description: 'Moves the device of a guest to another back end while the guest runs.' });

type SwapValue = z.infer<typeof swapEventSchema>;

/** Event `swap`. */
export const swapEvent: LabEventKind<SwapValue> = {
  resolve: (value, scope) => {
    const kind = scope.kindOf(value.guest);
    if (kind === 'guest') return { ...value, guest: scope.usualName(value.guest) };
    const what = kind === undefined ? `there is no node "${value.guest}"` : `${value.guest} is a ${kind}`;
    const guests = scope.nodes.filter((node) => scope.kindOf(node) === 'guest');
    throw scope.fault(['guest'], `${what}; guests are ${guests.join(', ')}`);
  },
  // what the back end offers is known where the scenario is built
  scenario: ({ guest, to }, atPs) => ({
    kind: 'swap',
    atPs,
    guest: Number(guest.slice('guest'.length)),
    to: to as BackendName,
    offloads: { csum: false, tso: false, mrg: true },
  }),
};
