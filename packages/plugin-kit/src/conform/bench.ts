import { testScenario } from '@vhostlab/backend-sdk/test-kit';
import {
  burstV1,
  type Client,
  ContractError,
  commonV1,
  createClient,
  hello,
  type LifecycleClient,
  lifecycleClient,
  type Transport,
} from '@vhostlab/contracts';
import { PluginLab } from '../lab/plugin-lab.ts';
import type { OpenPlugin } from '../package/open-plugin.ts';
import { CheckFailure, NotClaimed } from './failure.ts';

const TIMEOUT_MS = 5000;

/** What a check works with: connections to the plugin, instances, and a lab around it. */
export class PluginBench {
  readonly plugin: OpenPlugin;
  /** Options of the plugin that every instance is made with. */
  readonly options: Record<string, unknown> | undefined;
  readonly #transports: Transport[] = [];
  readonly #instances: { client: LifecycleClient; id: string }[] = [];
  #lab: PluginLab | undefined;
  #next = 0;

  constructor(plugin: OpenPlugin, options: Record<string, unknown> | undefined) {
    this.plugin = plugin;
    this.options = options;
  }

  /** A connection on which nothing has been said, by this bench at least. */
  connect(): { client: LifecycleClient; transport: Transport } {
    const transport = this.plugin.connect();
    this.#transports.push(transport);
    return { client: lifecycleClient('backend', transport), transport };
  }

  /** Hello of a host that speaks `versions`. */
  hello(versions: readonly number[] = [1], clocks = [commonV1.Clock.VIRTUAL]): commonV1.Hello {
    const version = { major: 0, minor: 1, patch: 0 };
    const own = hello({
      instanceId: 'conform',
      name: 'vhostlab conform',
      version,
      clocks,
      processId: process.pid,
    });
    own.protocolVersions = [...versions];
    return own;
  }

  /** A connection that has shaken hands. */
  async shaken(): Promise<{ client: LifecycleClient; transport: Transport }> {
    const connection = this.connect();
    await connection.client.handshake(this.hello(), { timeoutMs: TIMEOUT_MS });
    return connection;
  }

  /** A configuration that the plugin takes; `change` is put into its JSON. */
  config(change: Record<string, unknown> = {}, id = `conform-${process.pid}-${++this.#next}`) {
    const base =
      this.plugin.depth === 'burst'
        ? { ...this.options }
        : {
            ...testScenario(),
            backend: this.plugin.device?.attachesAs ?? this.plugin.remote?.attachesAs ?? 'vhost-user',
            plugin: {
              name: this.plugin.name,
              ...(this.options === undefined ? {} : { options: this.options }),
            },
          };
    return {
      id,
      configJson: JSON.stringify({ ...base, ...change }),
      clock: commonV1.Clock.VIRTUAL,
      seed: 1n,
      peers: [],
    };
  }

  /** A started instance on a connection of its own. */
  async instance(): Promise<{ client: LifecycleClient; transport: Transport; id: string }> {
    const { client, transport } = await this.shaken();
    const config = this.config();
    await client.create(config, { timeoutMs: TIMEOUT_MS });
    this.#instances.push({ client, id: config.id });
    await client.start(config.id, { timeoutMs: TIMEOUT_MS });
    return { client, transport, id: config.id };
  }

  /** The bursts of a started burst plugin. */
  async bursts(): Promise<BurstTalk> {
    const { transport, id } = await this.instance();
    return this.talk(transport, id);
  }

  /** The bursts of an instance. */
  talk(transport: Transport, id: string): BurstTalk {
    return new BurstTalk(createClient(burstV1.BurstService, transport), id);
  }

  /** A lab with the plugin in it. */
  get lab(): PluginLab {
    const { device, remote } = this.plugin;
    const inside = device ?? remote;
    if (inside === undefined) {
      throw new NotClaimed('it runs no cores at its address; conform its package to see its data');
    }
    this.#lab ??= new PluginLab(inside);
    return this.#lab;
  }

  /** Forgets what a check left behind. */
  async tidy(): Promise<void> {
    for (const { client, id } of this.#instances.splice(0)) {
      await client.destroy(id, { timeoutMs: TIMEOUT_MS }).catch(() => undefined);
    }
    for (const transport of this.#transports.splice(0)) transport.close();
    this.#lab?.close();
    this.#lab = undefined;
  }
}

/** One stream of bursts. */
export class BurstTalk {
  readonly id: string;
  readonly #call: ReturnType<Client<typeof burstV1.BurstService>['exchange']>;
  #sequence = 0n;

  constructor(client: Client<typeof burstV1.BurstService>, id: string) {
    this.id = id;
    this.#call = client.exchange();
  }

  /** Sends a burst and waits for the answer, which is undefined when the stream has ended. */
  async ask(frames: Uint8Array[], part: { port?: number; sequence?: bigint; id?: string } = {}) {
    const { port = 1, sequence = this.#sequence + 1n, id = this.id } = part;
    this.#sequence = sequence;
    await this.#call.send({
      $typeName: 'vhostlab.backend.v1.ExchangeRequest',
      id,
      sequence,
      nowPs: sequence * 1_000_000n,
      port,
      frames,
    });
    return withLimit(this.#call.receive(), `Exchange of burst ${sequence}`);
  }

  close(): void {
    this.#call.cancel();
  }
}

/** Waits at most for the limit of a call; throws CheckFailure that names it. */
export async function withLimit<T>(answer: Promise<T>, call: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new CheckFailure(`${call}: no answer within ${TIMEOUT_MS / 1000} s`)),
      TIMEOUT_MS,
    );
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The error with which a call ends, or a CheckFailure when it succeeds. */
export async function refusalOf(call: Promise<unknown>, what: string): Promise<ContractError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ContractError) return error;
    throw error;
  }
  throw new CheckFailure(`${what} was answered with success`);
}
