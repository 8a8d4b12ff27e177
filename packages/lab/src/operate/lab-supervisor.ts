import { UsageError } from '../scenario/options.ts';
import type { EventLog } from './events.ts';
import type { LabState, WantedLab } from './state.ts';

/** What commands need of the process that a lab is, whichever its clock. */
export interface LabSupervisor {
  readonly state: LabState;
  readonly events: EventLog;
  /** Resolves when the lab has ended, with the error that ended it, if one did. */
  readonly ended: Promise<Error | undefined>;
  /** The lines of what `apply` would do. */
  planned(wanted: WantedLab): string[];
  /** Makes the lab what is wanted. Resolves when it is ready; throws what kept it from that, after everything has ended. */
  apply(wanted: WantedLab): Promise<void>;
  /** Adds an event to the lab's file, and answers the lines of what that does. Throws UsageError when it does not fit. */
  addEvent(eventJson: string, dryRun: boolean): Promise<string[]>;
  /** Ends everything that the lab has started. Answers what was ended. */
  down(): Promise<string[]>;
}

/** What a lab says that is up on one clock and whose file now names the other. */
export function otherClock(name: string): UsageError {
  return new UsageError(
    `lab ${name} is up on the other clock than its file says now; end it with vhostlab lab down ${name} first`,
  );
}
