import {
  type Counter,
  definePlugin,
  FIRST_GUEST_PORT,
  type Forwarder,
  type PacketPool,
  type PortOutput,
  planPolledCores,
  polledCore,
  polledSchema,
  WIRE_PORT,
} from '@vhostlab/backend-sdk';

/** Joins the wire and the guest: says where frames go that the core has taken out of a ring. */
class Joined implements Forwarder {
  readonly #pool: PacketPool;
  readonly #output: PortOutput;
  readonly #noPort: Counter;

  constructor(pool: PacketPool, output: PortOutput, noPort: Counter) {
    this.#pool = pool;
    this.#output = output;
    this.#noPort = noPort;
  }

  begin(indices: Uint32Array, count: number, port: number): void {
    const to = port === WIRE_PORT ? FIRST_GUEST_PORT : WIRE_PORT;
    for (let i = 0; i < count; i++) {
      const index = indices[i] as number;
      if (this.#output.output(to, index)) continue;
      this.#noPort.value++;
      this.#pool.free(index);
    }
  }

  run(): undefined {
    // every frame went on its way in begin()
  }
}

export default definePlugin({
  name: '__NAME__',
  summary: 'wire and guest joined on a polling core',
  attachesAs: 'vhost-user',
  configSchema: polledSchema,
  capabilities: () => [
    { name: 'rings.packed', support: 'offered' },
    { name: 'rings.split', support: 'offered' },
  ],
  plan: (config) => planPolledCores(config, '__NAME__/core'),
  modules: new Map([
    [
      '__NAME__/core',
      polledCore((context, pool, output) => new Joined(pool, output, context.counter('drop.no-port'))),
    ],
  ]),
});
