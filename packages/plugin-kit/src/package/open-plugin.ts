import {
  type BurstPlugin,
  burstBackend,
  embeddedBurst,
  type PluginDefinition,
  remoteBurst,
  z,
} from '@vhostlab/backend-sdk';
import {
  commonV1,
  createGrpcTransport,
  createLocalTransport,
  hello,
  type Implementation,
  lifecycleClient,
  type Transport,
} from '@vhostlab/contracts';
import { hostDevicePlugin } from '../lab/host-plugin.ts';
import { importPlugin } from './import-plugin.ts';
import { launch } from './launch.ts';
import { PluginUsageError, readManifest } from './manifest.ts';
import { findRemote, type RemoteDevice } from './remote-device.ts';

/** Where a plugin is. */
export type PluginPlace =
  | { readonly package: string }
  | { readonly endpoint: string }
  | { readonly plugin: PluginDefinition | BurstPlugin };

/** A plugin that can be talked to and put into a lab. */
export interface OpenPlugin {
  readonly name: string;
  readonly depth: 'device' | 'burst';
  readonly summary: string;
  /** What a lab runs: the plugin, or the device that hosts it. Undefined: a device at an endpoint, whose cores run there. */
  readonly device: PluginDefinition | undefined;
  /** A device plugin at an endpoint that runs cores, for a lab around it. */
  readonly remote?: RemoteDevice;
  /** A connection of its own; to an endpoint, others may have talked before. */
  connect(): Transport;
  /** True when every connection meets a service that nobody has talked to. */
  readonly isFresh: boolean;
  close(): Promise<void>;
}

const READY_MS = 10_000;

/** Opens the plugin at a place. Throws PluginUsageError, one sentence. */
export async function openPlugin(place: PluginPlace): Promise<OpenPlugin> {
  if ('plugin' in place) return openHere(place.plugin);
  if ('endpoint' in place) return openEndpoint(place.endpoint, async () => undefined);
  const manifest = readManifest(place.package);
  if (manifest.depth === 'device') return openHere(await importPlugin(manifest));
  const launched = await launch(manifest);
  try {
    const open = await openEndpoint(launched.address, launched.close);
    if (open.name !== manifest.name) {
      throw new PluginUsageError(`the plugin names itself ${open.name}, its manifest says ${manifest.name}`);
    }
    return open;
  } catch (error) {
    await launched.close();
    throw error;
  }
}

/** A plugin in this process: each connection meets a service of its own. */
function openHere(plugin: PluginDefinition | BurstPlugin): OpenPlugin {
  const implementations = (): Implementation[] => hostDevicePlugin(plugin).implementations;
  return {
    name: plugin.name,
    depth: plugin.depth,
    summary: plugin.summary,
    device: plugin.depth === 'burst' ? burstBackend(embeddedBurst(plugin)) : plugin,
    connect: () => createLocalTransport(implementations()),
    isFresh: true,
    close: async () => undefined,
  };
}

async function openEndpoint(address: string, close: () => Promise<void>): Promise<OpenPlugin> {
  const transport = createGrpcTransport(address);
  try {
    await transport.ready(READY_MS);
    const client = lifecycleClient('backend', transport);
    const version = { major: 0, minor: 1, patch: 0 };
    // either clock will do: what matters here is who it is
    const own = {
      instanceId: `kit-${process.pid}`,
      name: 'vhostlab',
      version,
      clocks: [commonV1.Clock.VIRTUAL, commonV1.Clock.REAL],
      processId: process.pid,
    };
    await client.handshake(hello(own));
    const description = await client.describe();
    const capabilities = await client.getCapabilities([]);
    const depth = depthOf(capabilities);
    const { name, summary } = description;
    const remote = depth === 'device' ? await findRemote(name, address, transport) : undefined;
    return {
      ...(remote === undefined ? {} : { remote }),
      name,
      depth,
      summary,
      device: depth === 'burst' ? burstBackend(remoteBurst(sourceOf(description), address)) : undefined,
      connect: () => createGrpcTransport(address),
      isFresh: false,
      close,
    };
  } catch (error) {
    if (error instanceof PluginUsageError) throw error;
    throw new PluginUsageError(`no plugin can be talked to at ${address}: ${(error as Error).message}`);
  } finally {
    transport.close();
  }
}

function depthOf(capabilities: readonly commonV1.Capability[]): 'device' | 'burst' {
  return capabilities.some(({ name }) => name === 'depth.burst') ? 'burst' : 'device';
}

/** What a host needs of a burst plugin, by its own description. */
function sourceOf({ name, summary, configSchemaJson, version }: commonV1.Description) {
  let options: z.ZodType;
  try {
    options = z.fromJSONSchema(JSON.parse(configSchemaJson));
  } catch (error) {
    throw new PluginUsageError(
      `plugin ${name} describes its options by no JSON Schema: ${(error as Error).message}`,
    );
  }
  const { major, minor, patch } = version ?? { major: 0, minor: 0, patch: 0 };
  return { name, summary, version: `${major}.${minor}.${patch}`, options };
}
