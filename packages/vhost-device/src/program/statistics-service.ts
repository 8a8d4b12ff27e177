import { ContractError, deviceV1, type Implementation, implement } from '@vhostlab/contracts';
import { monotonicNs, sleep } from '@vhostlab/host';
import type { Backend } from './backend.ts';

const MIN_INTERVAL_MS = 10;
const MAX_INTERVAL_MS = 3_600_000;

/** Serves a back end's statistics (`vhostlab.device.v1`): reads the shared counters, and nothing waits for it. */
export function statisticsService(backend: Backend): Implementation {
  return implement(deviceV1.DeviceStatisticsService, {
    getStatistics: () => statistics(backend),
    async *watchStatistics({ intervalMs }, { signal }) {
      if (intervalMs < MIN_INTERVAL_MS || intervalMs > MAX_INTERVAL_MS) {
        const text = `interval_ms is ${intervalMs}: use ${MIN_INTERVAL_MS} to ${MAX_INTERVAL_MS}`;
        throw new ContractError('INVALID_ARGUMENT', text);
      }
      while (!signal.aborted) {
        yield statistics(backend);
        await sleep(intervalMs);
      }
    },
  });
}

function statistics(backend: Backend) {
  const queues = backend.statistics.snapshot();
  return {
    atNs: BigInt(monotonicNs()),
    devices: backend.devices.map((served, number) => {
      const counters = served.counters();
      return {
        socket: served.socket,
        connected: served.isConnected,
        connections: BigInt(served.connections),
        features: served.device.features,
        status: served.device.status,
        messages: uint64s(counters?.messages ?? {}),
        refusals: uint64s(counters?.refusals ?? {}),
        queues: queues
          .filter(({ device }) => device === number)
          .map(({ device: _, queue: index, ...values }) => ({ index, counters: uint64s(values) })),
      };
    }),
  };
}

function uint64s(values: Readonly<Record<string, number>>): Record<string, bigint> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, BigInt(Math.round(value))]));
}
