import { type GuestLayout, guestLayout, type PairLayout } from './guest-memory.ts';
import type { ScenarioConfig } from './scenario.ts';

/** Devices of a guest with net_failover, in the order of their memory. */
export const FAILOVER_DEVICES = ['emulated', 'passed', 'standby'] as const;
export type FailoverDeviceName = (typeof FAILOVER_DEVICES)[number];

/** Memory of a guest with several devices: rings and buffers of each one by itself, in one window of `bytes`. */
export interface FailoverLayout {
  bytes: number;
  devices: Record<FailoverDeviceName, GuestLayout>;
}

/** Lays out the memory of guest `g` that goes to or from vfio: one device's layout after the other. */
export function failoverLayout(config: ScenarioConfig, g: number): FailoverLayout {
  const one = guestLayout(config, g);
  const bytes = FAILOVER_DEVICES.length * one.bytes;
  const [emulated, passed, standby] = FAILOVER_DEVICES.map((_, d) => shifted(one, d * one.bytes, bytes));
  return { bytes, devices: { emulated, passed, standby } };
}

function shifted(layout: GuestLayout, by: number, bytes: number): GuestLayout {
  return {
    ...layout,
    bytes,
    controlRing: layout.controlRing + by,
    controlPage: layout.controlPage + by,
    pairs: layout.pairs.map(
      (pair): PairLayout => ({
        ...pair,
        rxRing: pair.rxRing + by,
        txRing: pair.txRing + by,
        tables: pair.tables + by,
        small: { ...pair.small, gpa: pair.small.gpa + by },
        large: { ...pair.large, gpa: pair.large.gpa + by },
      }),
    ),
    regions: [{ gpa: 0, bytes }],
  };
}
