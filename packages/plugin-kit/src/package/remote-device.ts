import { testScenario } from '@vhostlab/backend-sdk/test-kit';
import {
  commonV1,
  createClient,
  hello,
  lifecycleClient,
  runtimeV1,
  type Transport,
} from '@vhostlab/contracts';
import { BACKENDS, type BackendName } from '@vhostlab/workload';

/** A device plugin in a process of its own, which executes the plugin's cores there. */
export interface RemoteDevice {
  readonly name: string;
  readonly attachesAs: BackendName;
  readonly address: string;
}

const TIMEOUT_MS = 5000;

/**
 * The device plugin that answers at `address` under `name`, when that process runs cores too, as `vhostlab plugin run`
 * does; undefined when it only has the calls of a back-end service.
 */
export async function findRemote(
  name: string,
  address: string,
  transport: Transport,
): Promise<RemoteDevice | undefined> {
  const client = lifecycleClient('backend', transport);
  for (const attachesAs of BACKENDS) {
    const config = { ...testScenario(), backend: attachesAs, plugin: { name } };
    const diagnostics = await client.validateConfig(
      { id: 'kit', configJson: JSON.stringify(config), clock: commonV1.Clock.VIRTUAL, seed: 1n },
      { timeoutMs: TIMEOUT_MS },
    );
    if (diagnostics.some(({ field }) => field === 'backend' || field === 'plugin.name')) continue;
    return (await runsCores(transport)) ? { name, attachesAs, address } : undefined;
  }
  return undefined;
}

async function runsCores(transport: Transport): Promise<boolean> {
  const runtime = createClient(runtimeV1.RuntimeService, transport);
  const own = {
    instanceId: `kit-${process.pid}`,
    name: 'vhostlab',
    version: { major: 0, minor: 1, patch: 0 },
    clocks: [commonV1.Clock.VIRTUAL],
    processId: process.pid,
  };
  try {
    await runtime.handshake({ hello: hello(own) }, { timeoutMs: TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}
