import { MIGRATION_DEFAULTS } from '@vhostlab/workload';
import { z } from 'zod';
import { durationPs, runTime } from '../duration.ts';
import { hostSchema, migrationLinkOf } from '../hosts.ts';
import { part } from '../part.ts';
import type { LabEventKind } from './event-kind.ts';

/** `migrate` of an event: which guest goes where, and how long it may stand still. */
export const migrateEventSchema = part({
  guest: z.string().meta({ description: 'Guest that moves.' }),
  to: z.string().meta({ description: 'Host that it moves to, one of system.hosts.' }),
  maxDowntime: runTime.optional().meta({
    description: 'Copying goes on in rounds until what is left takes no longer than this; without it 500us.',
  }),
  maxRounds: z.int({ error: 'must be a number of rounds from 1 to 1000' }).min(1).max(1000).optional().meta({
    description: 'Rounds of copying while the guest runs; then it stops whatever is left. Without it 8.',
  }),
  link: hostSchema.optional().meta({ description: 'The migration link, in place of that of the host.' }),
}).meta({ description: 'Moves a guest to another host.' });

type MigrateValue = z.infer<typeof migrateEventSchema>;

/** Event `migrate`. */
export const migrateEvent: LabEventKind<MigrateValue> = {
  resolve: (value, scope) => {
    const kind = scope.kindOf(value.guest);
    if (kind !== 'guest') {
      const what = kind === undefined ? 'there is no node of that name' : `it is a ${kind}`;
      throw scope.fault(
        ['guest'],
        `${value.guest} is no guest: ${what}; there are ${scope.nodes.join(', ')}`,
      );
    }
    const host = scope.hosts.get(value.to);
    // a run's own lab file has the link in the event
    if (host === undefined && value.link === undefined) {
      const there = [...scope.hosts.keys()].join(', ');
      const mend =
        there === ''
          ? `system.hosts names none; add it there, such as hosts: {${value.to}: {}}`
          : `system.hosts has ${there}`;
      throw scope.fault(['to'], `there is no host "${value.to}": ${mend}`);
    }
    return { ...value, guest: scope.usualName(value.guest), link: { ...host, ...value.link } };
  },
  scenario: ({ guest, to, maxDowntime, maxRounds, link }, atPs) => ({
    kind: 'migrate',
    atPs,
    guest: Number(guest.replace('guest', '')),
    to,
    ...migrationLinkOf(link ?? {}),
    maxDowntimePs: maxDowntime === undefined ? MIGRATION_DEFAULTS.maxDowntimePs : durationPs(maxDowntime),
    maxRounds: maxRounds ?? MIGRATION_DEFAULTS.maxRounds,
  }),
};
