import type { NumberedEvent } from '@vhostlab/workload';

/** Configuration of a `guest/migration` core: plain data. */
export interface MigrationConfig {
  guest: number;
  event: NumberedEvent<'migrate'>;
  /** Windows of the guest's memory, where it is and where it goes, and its size. */
  window: string;
  arrival: string;
  memoryBytes: number;
}

/** What a VMM is told of a migration. */
export interface VmmMigration {
  event: NumberedEvent<'migrate'>;
  /** Instance of the back end on the other host. */
  instance: number;
}
