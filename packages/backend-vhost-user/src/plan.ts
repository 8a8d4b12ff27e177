import { offeredFeatures, PAGE_SIZES, type ScenarioConfig } from '@vhostlab/backend-sdk';
import { nicPortWindowBytes } from '@vhostlab/datapath';
import type { ComponentPlan } from '@vhostlab/engine';
import type { PmdConfig } from './config.ts';

/** Descriptors of a NIC ring, buffers of a PMD and bytes of each, as OVS-DPDK has them by default. */
const NIC_RING = 2048;
const BUFFERS = 8192;
const BUFFER_BYTES = 2176;
/** A GSO frame needs a buffer of its own size. */
const GSO_BUFFER_BYTES = 66_048;
const GSO_BUFFERS = 2560;

/** Cores and channel ends of the vhost-user back end. */
export function planVhostUser(config: ScenarioConfig): ComponentPlan {
  const plan: ComponentPlan = { cores: [], windows: [], ends: [] };
  const features = offeredFeatures(config.offloads, { packed: true, inOrder: true, indirect: true });
  const offered = { low: features.low, high: features.high };
  const buffers = config.offloads.tso ? GSO_BUFFERS : BUFFERS;
  const bufferBytes = config.offloads.tso ? GSO_BUFFER_BYTES : BUFFER_BYTES;
  for (let pair = 0; pair < config.queues; pair++) {
    const core = `host.pmd${pair}`;
    const window = `rings.${core}`;
    const windowBytes = nicPortWindowBytes(NIC_RING, buffers, bufferBytes);
    const own: PmdConfig = {
      pair,
      guests: config.guests,
      offered,
      pageBytes: PAGE_SIZES[config.pages],
      window,
      windowBytes,
      nicRing: NIC_RING,
      buffers,
      bufferBytes,
      wire: config.workload !== 'v2v',
    };
    plan.cores.push({
      id: core,
      service: 'backend',
      module: 'vhost-user/pmd',
      config: own,
      mode: 'poll',
      account: 'host',
    });
    plan.windows.push({ id: window, owner: 'backend', bytes: windowBytes });
    plan.ends.push(
      {
        channel: `nicq.${core}`,
        kind: 'memory',
        side: 'a',
        core,
        end: 'nic',
        latency: 'dma',
        window,
        queueSizes: [NIC_RING, NIC_RING],
      },
      { channel: `upcall.${core}`, kind: 'control', side: 'a', core, end: 'switch', latency: 'netlink' },
    );
    for (let guest = 0; guest < config.guests; guest++) {
      plan.ends.push(
        {
          channel: `vq.${guest}.${pair}`,
          kind: 'memory',
          side: 'b',
          core,
          end: `vq.${guest}.${pair}`,
          latency: 'coherent',
          window: `guest${guest}`,
        },
        {
          channel: `vhost.${guest}.${pair}`,
          kind: 'control',
          side: 'b',
          core,
          end: `vhost.${guest}.${pair}`,
          latency: 'syscall',
        },
      );
    }
  }
  return plan;
}
