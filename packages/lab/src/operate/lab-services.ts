import {
  type Client,
  ContractError,
  createClient,
  type hello,
  lifecycleClient,
  type Role,
  runtimeV1,
} from '@vhostlab/contracts';
import type { Placement, Topology } from '../lab-file/topology.ts';
import type { Lab } from '../run/run-scenario.ts';
import { processName } from '../run/station.ts';
import { UsageError } from '../scenario/options.ts';
import { isRole, PARTS, type Part } from '../services/parts.ts';
import type { Action } from './actions.ts';
import { cutLinks } from './cut-links.ts';
import { type Placed, placeEmbedded, placeEndpoint, placeProcess, type Surroundings } from './placed.ts';

const GREETING_TIMEOUT_MS = 30_000;
const CUT_TIMEOUT_MS = 2_000;

/** Makes the containers of these roles. */
export type PlaceContainers = (roles: readonly Role[], around: Surroundings) => Promise<readonly Placed[]>;

/** The services of a lab, wherever they are. */
export class LabServices {
  readonly #placeContainers: PlaceContainers | undefined;
  readonly #present = new Map<Part, Placement>();
  #placed: Placed[] = [];

  constructor(placeContainers: PlaceContainers | undefined) {
    this.#placeContainers = placeContainers;
  }

  get placed(): readonly Placed[] {
    return this.#placed;
  }

  /** Where each service is that there is. */
  get present(): ReadonlyMap<Part, Placement> {
    return this.#present;
  }

  /**
   * Stops and starts services. Those that share this process are made anew together. Opened plugins are closed with the
   * back-end service that gets them, at once when none does.
   */
  async change(actions: readonly Action[], topology: Topology, around: Surroundings): Promise<void> {
    try {
      await this.#change(actions, topology, around);
    } finally {
      if (!this.#placed.some(({ opened }) => opened !== undefined && opened === around.opened)) {
        await around.opened?.close();
      }
    }
  }

  async #change(actions: readonly Action[], { services }: Topology, around: Surroundings): Promise<void> {
    const changed = new Set(actions.flatMap((action) => ('role' in action ? [action.role] : [])));
    const touches = ({ roles }: Placed): boolean => roles.some((role) => changed.has(role));
    const leaving = this.#placed.filter(touches);
    this.#placed = this.#placed.filter((placed) => !touches(placed));
    await Promise.all(leaving.map((placed) => placed.end(false)));
    for (const role of leaving.flatMap(({ roles }) => roles)) this.#present.delete(role);
    const missing = PARTS.filter((part) => services[part] !== undefined && !this.#present.has(part));
    const how = (name: Placement['how']): Part[] => missing.filter((part) => services[part]?.how === name);
    const started: Placed[] = how('process').map((role) =>
      placeProcess(role, around, services[role]?.plugins),
    );
    this.#placed.push(...started);
    for (const role of how('endpoint')) {
      const placement = services[role];
      if (placement?.how === 'endpoint') this.#placed.push(placeEndpoint(role, placement.address, around));
    }
    const embedded = PARTS.filter((part) => services[part]?.how === 'embedded');
    if (embedded.some((role) => missing.includes(role))) {
      const old = this.#placed.find(({ placement }) => placement.how === 'embedded');
      this.#placed = this.#placed.filter((placed) => placed !== old);
      await old?.end(false);
      this.#placed.push(placeEmbedded(embedded, around));
    }
    const inContainers = how('container');
    if (inContainers.length > 0) {
      const placeContainers = this.#placeContainers;
      if (placeContainers === undefined) throw new Error('this lab has no containers');
      this.#placed.push(...(await placeContainers(inContainers.filter(isRole), around)));
    }
    for (const role of missing) this.#present.set(role, services[role] as Placement);
  }

  find(role: Part): Placed | undefined {
    return this.#placed.find(({ roles }) => roles.includes(role));
  }

  /** Where a service is, for people. */
  whereIs(role: Part): string {
    const placed = this.find(role);
    if (placed?.container !== undefined) return `container ${placed.container}`;
    return placed?.pid !== undefined ? `process ${placed.pid}` : (placed?.address ?? 'unknown');
  }

  /** Clients of all services, as a run needs them. */
  lab({ tracing }: Surroundings, lost: AbortSignal): Lab {
    const provider = tracing.providerFor('lab');
    const client = provider === undefined ? {} : { tracerProvider: provider };
    const services = Object.fromEntries(
      this.#placed.flatMap(({ roles, transport }) =>
        roles.filter(isRole).map((role) => [role, lifecycleClient(role, transport, client)]),
      ),
    ) as Lab['services'];
    return {
      services,
      processes: this.#placed.map(({ roles, address, transport }) => ({
        name: processName(roles),
        services: roles,
        ...(address === undefined ? {} : { address }),
        runtime: createClient(runtimeV1.RuntimeService, transport, client) as Client<
          typeof runtimeV1.RuntimeService
        >,
      })),
      lost: lost,
    };
  }

  /** Links that hold the run, with where their ends are, for people. */
  async cutLinks(around: Surroundings, lost: AbortSignal): Promise<string[]> {
    const cut = await cutLinks(this.lab(around, lost).processes, CUT_TIMEOUT_MS);
    const place = (name: string): string => `${name} (${this.whereIs(name.split('+')[0] as Part)})`;
    return cut.map(({ from, to }) => `${place(from)} to ${place(to)}`);
  }

  /** Greets a part in the name of the lab. Throws ContractError when it does not answer or speaks another protocol. */
  async greet(part: Part, lab: Lab, greeting: ReturnType<typeof hello>): Promise<void> {
    const options = { timeoutMs: GREETING_TIMEOUT_MS };
    if (isRole(part)) {
      await lab.services[part].handshake(greeting, options).catch((error: unknown) => {
        throw this.#otherThan(part, error);
      });
    } else {
      const own = lab.processes.find(({ services }) => services.includes(part));
      await own?.runtime.handshake({ hello: greeting }, options);
    }
  }

  /** The fault of an address at which another service listens than the one that is wanted. */
  #otherThan(part: Part, error: unknown): unknown {
    const address = this.find(part)?.address;
    if (!(error instanceof ContractError) || error.code !== 'UNIMPLEMENTED') return error;
    return new UsageError(
      `no service ${part} listens at ${address}, but something else; start one there with vhostlab serve ${part} --listen ${address}, or change its address in the lab file`,
    );
  }

  /** Ends what this lab has started. `failed`: at once. */
  async end(failed: boolean): Promise<void> {
    await Promise.all(this.#placed.map((placed) => placed.end(failed)));
  }
}
