import type { RealLab } from '../../lab-file/real-lab.ts';
import type { RunningNode } from '../../real-nodes/running-node.ts';
import type { LabRecord } from '../lab-record.ts';
import type { NodeState } from '../state.ts';
import { devicesOf, type LinkSockets } from './devices.ts';

/** What the state of a lab says of its programs. */
export class NodeStates {
  readonly #record: LabRecord;
  readonly #running: ReadonlyMap<string, RunningNode>;
  readonly #sockets: LinkSockets;

  constructor(record: LabRecord, running: ReadonlyMap<string, RunningNode>, sockets: LinkSockets) {
    this.#record = record;
    this.#running = running;
    this.#sockets = sockets;
  }

  /** Nodes of the lab as it is now; those that have stayed keep what is known of them, and those that do not run are spare. */
  describe(real: RealLab): void {
    const { state } = this.#record;
    const before = new Map(state.nodes.map((node) => [node.name, node]));
    state.nodes = real.nodes.map(({ name, kind }): NodeState => {
      const old = before.get(name);
      const running = this.#running.get(name);
      if (old?.state === 'ready' && running?.main !== undefined && running.main.pid === old.pid) return old;
      const { console, environment } = running ?? {};
      return {
        name,
        kind,
        service: kind,
        placement: 'process',
        address: this.#sockets.folderOf(name),
        state: running === undefined ? 'spare' : 'starting',
        neighbours: [],
        ...(console === undefined ? {} : { console }),
        ...(environment === undefined ? {} : { environment }),
      };
    });
    state.links = real.links.map(({ ends }) => ends);
    this.#record.save();
  }

  /** A node came into another state. */
  mark(name: string, to: NodeState['state'], detail?: string): void {
    const state = this.#find(name);
    if (state === undefined) return;
    state.state = to;
    this.#record.events.add('node', name, to, detail);
    this.started(name);
  }

  /** Its main program has a process id. */
  started(name: string): void {
    const state = this.#find(name);
    const pid = this.#running.get(name)?.main?.pid;
    if (state !== undefined && pid !== undefined) state.pid = pid;
    this.#record.save();
  }

  /** Writes down whom a node has met: all to which it is joined. */
  meet(name: string, real: RealLab): void {
    const state = this.#find(name);
    const devices = devicesOf(name, real, (link) => this.#sockets.pathOf(link));
    if (state !== undefined) state.neighbours = devices.map(({ peer }) => peer);
  }

  #find(name: string): NodeState | undefined {
    return this.#record.state.nodes.find((node) => node.name === name);
  }
}
