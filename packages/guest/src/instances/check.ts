import type { ConfigFault } from '@vhostlab/contracts';
import type { BackendName, ScenarioConfig } from '@vhostlab/workload';

/** What keeps the changes of the back end in a scenario from being made. Expects events whose form is right. */
export function checkSwaps(config: ScenarioConfig): ConfigFault[] {
  const { backend, events = [], plugin, workload } = config;
  const faults = Array.isArray(config.faults) ? config.faults : [];
  const swaps = events
    .map((event, number) => ({ event, number }))
    .filter(({ event }) => event.kind === 'swap')
    .sort((x, y) => x.event.atPs - y.event.atPs || x.number - y.number);
  if (swaps.length === 0) return [];
  const found: ConfigFault[] = [];
  const refuse = (number: number, summary: string) => found.push({ field: `events.${number}.swap`, summary });
  const [{ number: first }] = swaps;
  if (workload === 'v2v') {
    refuse(
      first,
      'In v2v two guests share a bridge, whose ports live in one datapath; swap a guest in another workload.',
    );
  }
  if (plugin !== undefined) {
    refuse(first, `A swap is among the built-in back ends; the guest is on the plugin ${plugin.name}.`);
  }
  if (faults.length > 0) {
    refuse(
      first,
      'Faults go into frames that are sent once, and a reset sends frames again; remove one of the two.',
    );
  }
  if (events.some(({ kind }) => kind === 'migrate')) {
    refuse(first, 'A guest is swapped or migrated in one run, not both; remove one of the events.');
  }
  const emulated = new Set<BackendName>([backend]);
  for (const { event } of swaps) if (event.kind === 'swap') emulated.add(event.to);
  if (emulated.delete('vfio') && emulated.size > 1) {
    refuse(
      first,
      'A guest that goes to or from vfio goes between it and one other back end in a run; name one.',
    );
  }
  let present: BackendName = backend;
  for (const { event, number } of swaps) {
    if (event.kind !== 'swap') continue;
    if (event.to === present) refuse(number, `The guest is on ${present} already; name another back end.`);
    present = event.to;
  }
  return found;
}
