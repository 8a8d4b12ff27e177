import type { ScenarioEvent } from '@vhostlab/workload';
import type { HostSettings } from '../hosts.ts';

/** What an event of a lab file may refer to, and how to say that it is wrong. */
export interface EventScope {
  /** Kind of a node (`guest`, `backend`, `switch`, `nic`), `station` for the far end of the wire; undefined when there is none of that name. */
  kindOf(node: string): string | undefined;
  /** All names, for messages. */
  readonly nodes: readonly string[];
  /** What a node is called in a lab whose file names none: `guest0`, `nic0`. */
  usualName(node: string): string;
  /** Hosts that guests can migrate to, by name, with the link that leads there. */
  readonly hosts: ReadonlyMap<string, HostSettings>;
  /** UsageError with the place of `path` within the event. */
  fault(path: readonly PropertyKey[], message: string): Error;
}

/** One kind of event of lab files: the value below its key. Its schema stands in `lab-event.ts`. */
export interface LabEventKind<Value> {
  /** Checks what the value refers to and answers it with the usual names of nodes. Throws what `scope.fault` makes. */
  resolve(value: Value, scope: EventScope): Value;
  /** What a scenario is told. */
  scenario(value: Value, atPs: number): ScenarioEvent;
}
