/** Moves a guest to another host while it runs: memory by pre-copy, the device to an instance of its back end there. */
export interface MigrateEvent {
  kind: 'migrate';
  /** From the start of traffic. */
  atPs: number;
  guest: number;
  /** Name of the host that it moves to. */
  to: string;
  /** The link between the hosts. */
  linkBps: number;
  linkLatencyPs: number;
  /** What the guest may be stopped for: copying goes on in rounds until what is left takes no longer. */
  maxDowntimePs: number;
  /** Rounds of copying while the guest runs, at least 1. */
  maxRounds: number;
  /** Tests of the verification: writes of the back end that are not logged, as by one that forgets to. */
  skips?: MigrationSkip[] | undefined;
}

/** Logging that a test of the verification leaves out. */
export type MigrationSkip = 'used-ring-log' | 'buffer-log';

/** What a migration uses where nothing else is said. */
export const MIGRATION_DEFAULTS = {
  linkBps: 25e9,
  linkLatencyPs: 10_000_000,
  maxDowntimePs: 500_000_000,
  maxRounds: 8,
} as const;

/** A migration in words, `guest0 to backend1`. */
export function migrationText({ guest, to }: MigrateEvent): string {
  return `guest${guest} to ${to}`;
}

/** The migration of a scenario; undefined when there is none. A guest migrates once in a run. */
export function migrationOf(config: {
  readonly events?: readonly { kind: string }[];
}): MigrateEvent | undefined {
  return config.events?.find((event): event is MigrateEvent => event.kind === 'migrate');
}

/** Channel of the shadow rings of queue pair `pair` of guest `g`, from the VMM to the vDPA device. */
export function shadowChannel(g: number, pair: number): string {
  return `shadowed.${g}.${pair}`;
}

/** Window of guest `g`'s memory on the host that it migrates to. */
export function arrivalWindow(g: number): string {
  return `guest${g}.arrival`;
}
