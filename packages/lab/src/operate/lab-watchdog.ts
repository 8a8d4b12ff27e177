import type { Part } from '../services/parts.ts';
import { ServiceLostError } from '../services/service-lost.ts';
import type { LabRecord } from './lab-record.ts';
import { Watchdog } from './watchdog.ts';

/** A watchdog that keeps the record of a lab, and ends the lab through `lose` with an error that names the part. */
export function labWatchdog(
  stallTimeoutMs: number,
  {
    record,
    whereIs,
    lose,
  }: { record: LabRecord; whereIs(role: Part): string; lose(error: ServiceLostError): void },
): Watchdog {
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
      record.events.add('lab', record.state.name, 'stuck');
      lose(
        new ServiceLostError(
          `virtual time has stood still for ${Math.round(silentMs / 1000)} s although every service answers: a link between two of them is cut; the run is incomplete`,
        ),
      );
    },
  });
}
