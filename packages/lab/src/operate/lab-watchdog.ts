import type { Part } from '../services/parts.ts';
import { ServiceLostError } from '../services/service-lost.ts';
import type { LabRecord } from './lab-record.ts';
import { Watchdog } from './watchdog.ts';

/** What a watchdog needs of its lab. */
export interface WatchedLab {
  readonly record: LabRecord;
  whereIs(role: Part): string;
  /** Links on which something was sent that has not arrived, as `NAME (PLACE) to NAME (PLACE)`. */
  cutLinks(): Promise<readonly string[]>;
  lose(error: ServiceLostError): void;
}

/** A watchdog that keeps the record of a lab, and ends the lab through `lose` with an error that names the part. */
export function labWatchdog(
  stallTimeoutMs: number,
  { record, whereIs, cutLinks, lose }: WatchedLab,
): Watchdog {
  let isStuck = false;
  return new Watchdog(stallTimeoutMs, {
    onStalled: (role) => record.mark(role, 'stalled', 'does not answer; virtual time stands still'),
    onResumed: (role) => record.mark(role, 'ready', 'answers again'),
    onLost: (role, silentMs) => {
      const silence = `${Math.round(silentMs / 1000)} s`;
      record.mark(role, 'lost', `silent for ${silence}`);
      lose(
        new ServiceLostError(
          `service ${role} (${whereIs(role)}) has not answered for ${silence}; the run is incomplete`,
        ),
      );
    },
    onStuck: (silentMs) => {
      // told four times a second
      if (isStuck) return;
      isStuck = true;
      void cutLinks().then((links) => {
        const where =
          links.length === 0
            ? 'a link between two of them is cut'
            : `the link from ${links.join(' and from ')} is cut`;
        record.events.add('lab', record.state.name, 'stuck', where);
        lose(
          new ServiceLostError(
            `virtual time has stood still for ${Math.round(silentMs / 1000)} s although every service answers: ${where}; the run is incomplete`,
          ),
        );
      });
    },
  });
}
