import type { HostSettings } from '../hosts.ts';
import type { LocatedDocument } from '../located.ts';
import type { Topology } from '../topology.ts';
import { type LabFileEvent, resolveEvent } from './lab-event.ts';

/** Checks the events of a file against its nodes. Answers them with the usual names. Throws UsageError with the place. */
export function resolveEvents(
  events: readonly LabFileEvent[],
  { nodes }: Topology,
  hosts: Readonly<Record<string, HostSettings>>,
  located: LocatedDocument,
): LabFileEvent[] {
  const kinds = new Map(nodes.map(({ name, kind }) => [name, kind]));
  const names = [...new Set([...kinds.keys(), 'station'])];
  return events.map((event, i) =>
    resolveEvent(event, {
      nodes: names,
      kindOf: (node) => (node === 'station' ? 'station' : kinds.get(node)),
      usualName: (node) => {
        const kind = kinds.get(node);
        if (kind === undefined || node === 'station') return node;
        const alike = nodes.filter((other) => other.kind === kind);
        return `${kind}${alike.findIndex(({ name }) => name === node)}`;
      },
      hosts: new Map(Object.entries(hosts)),
      fault: (path, message) => located.fault(['events', i, ...path], message),
    }),
  );
}
