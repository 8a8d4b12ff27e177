import type { Part } from '../services/parts.ts';
import { EventLog } from './events.ts';
import type { LabFolder } from './lab-folder.ts';
import type { Placed } from './placed.ts';
import type { LabState, NodeState, WantedLab } from './state.ts';

const STATE_INTERVAL_MS = 200;

/** What a lab tells of itself: its state in a file and its events, for whoever looks from another process. */
export class LabRecord {
  readonly events: EventLog;
  readonly state: LabState;
  readonly #folder: LabFolder;
  readonly #onFault: (error: Error) => void;
  #timer: NodeJS.Timeout | undefined;
  #ending = false;

  /** `onFault`: the state can no longer be written. */
  constructor(folder: LabFolder, state: LabState, onFault: (error: Error) => void) {
    this.#folder = folder;
    this.#onFault = onFault;
    this.state = state;
    this.events = new EventLog(folder);
  }

  /** Nodes of the lab as they are wanted and placed now; those that stay where they were keep their state. */
  describe(wanted: WantedLab, placed: readonly Placed[]): void {
    const { nodes, links, wireLatencyNs } = wanted.description.topology;
    const before = new Map(this.state.nodes.map((node) => [node.name, node]));
    this.state.nodes = nodes.map(({ name, kind }): NodeState => {
      const place = placed.find(({ roles }) => roles.includes(kind));
      const old = before.get(name);
      return {
        name,
        kind,
        service: kind,
        placement: place === undefined ? '' : place.placement.how,
        address: place?.address ?? '',
        ...(place?.pid === undefined ? {} : { pid: place.pid }),
        ...(place?.container === undefined ? {} : { container: place.container }),
        state: old !== undefined && old.address === place?.address ? old.state : 'starting',
        neighbours: [],
      };
    });
    this.state.links = [...links];
    delete this.state.wire_latency_ns;
    if (wireLatencyNs !== undefined) this.state.wire_latency_ns = wireLatencyNs;
    delete this.state.run_events;
    const { events } = wanted.description.options;
    if (events !== undefined && events.length > 0) this.state.run_events = events;
    this.state.file = wanted.file;
    this.save();
  }

  nodesOf(role: Part): NodeState[] {
    return this.state.nodes.filter(({ service }) => service === role);
  }

  /** A service came into another state. */
  mark(role: Part, to: NodeState['state'], detail?: string): void {
    for (const node of this.nodesOf(role)) node.state = to;
    if (!this.#ending || to === 'lost') this.events.add('service', role, to, detail);
    this.save();
  }

  set(phase: LabState['phase'], ready: boolean): void {
    this.state.phase = phase;
    this.state.ready = ready;
    this.save();
  }

  /** Frames that run number `current` has delivered so far; written now and then. */
  progress(current: number, delivered: number): void {
    const run = this.state.runs[current];
    if (run?.state !== 'running') return;
    run.delivered = delivered;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.save();
    }, STATE_INTERVAL_MS);
  }

  save(): void {
    try {
      this.#folder.writeState(this.state);
    } catch (error) {
      if (!this.#ending) this.#onFault(error as Error);
    }
  }

  /** From now on only losses of services are events, and a disk that is full is no fault any more. */
  ending(): void {
    this.#ending = true;
    clearTimeout(this.#timer);
  }

  /** The last words. */
  close(phase: 'failed' | 'ended', error: Error | undefined): void {
    for (const node of this.state.nodes) if (node.state !== 'lost') node.state = 'ended';
    this.state.phase = phase;
    this.state.ready = false;
    if (error !== undefined) this.state.error = error.message;
    try {
      this.events.add('lab', this.state.name, phase, error?.message);
    } catch {
      // the disk that is full is what `error` says
    }
    this.save();
    this.events.close();
  }
}
