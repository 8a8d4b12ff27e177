import { closeSync, openSync, writeSync } from 'node:fs';
import type { LabFolder } from './lab-folder.ts';
import type { LabEvent } from './state.ts';

type Listener = (event: LabEvent) => void;

/** What happens to a lab, in order: kept, written to `events.jsonl`, and told to whoever follows. */
export class EventLog {
  readonly #folder: LabFolder;
  readonly #events: LabEvent[] = [];
  readonly #listeners = new Set<Listener>();
  readonly #file: number;

  constructor(folder: LabFolder) {
    this.#folder = folder;
    try {
      this.#file = openSync(folder.file('events.jsonl'), 'w', 0o600);
    } catch (error) {
      throw folder.diskFault(error);
    }
  }

  get all(): readonly LabEvent[] {
    return this.#events;
  }

  /** Adds an event. Throws UsageError when it cannot be written. */
  add(kind: LabEvent['kind'], name: string, what: string, detail?: string): void {
    const event: LabEvent = {
      number: this.#events.length,
      at: new Date().toISOString(),
      kind,
      name,
      what,
      ...(detail === undefined ? {} : { detail }),
    };
    this.#events.push(event);
    for (const listener of this.#listeners) listener(event);
    try {
      writeSync(this.#file, `${JSON.stringify(event)}\n`);
    } catch (error) {
      throw this.#folder.diskFault(error);
    }
  }

  /** Tells `listener` of every new event until the answer is called. */
  follow(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    closeSync(this.#file);
  }
}
