import type { FrontendFigures, Workload } from '@vhostlab/vhost-driver';
import type { TrafficSpec } from '@vhostlab/workload';
import type { Fidelity } from './fidelity.ts';
import type { RealWorkload } from './real-options.ts';

/** What one round found. Rates count frames that reached their end: the device for tx and pvp, a guest otherwise. */
export interface Round {
  readonly mpps: number;
  /** Of rr only, in microseconds. */
  readonly latencyUs: { readonly p50: number; readonly p99: number } | undefined;
  /** CPUs that the back end's process kept busy. */
  readonly backendCores: number;
  /** Kicks and calls per frame, as the guest saw them. */
  readonly kicksPerFrame: number;
  readonly callsPerFrame: number;
  readonly fidelity: Fidelity;
}

/** How long a round runs before it is measured. */
export const SETTLE_MS = 300;
const LINE_BPS = 100e9;
const ENDLESS = 1e9;

/** Endless UDP traffic of that frame size. */
export function trafficOf(size: string): TrafficSpec {
  return {
    kind: 'udp',
    packets: ENDLESS,
    size,
    rate: 'unpaced',
    flows: 64,
    lineBps: LINE_BPS,
    seed: 1,
  };
}

/** What the first guest of a workload does. */
export function workloadOf(workload: RealWorkload, size: string): Workload {
  const traffic = trafficOf(size);
  switch (workload) {
    case 'tx':
      return { kind: 'tx', traffic };
    case 'rx':
    case 'v2v':
      return { kind: 'rx' };
    case 'pvp':
      return { kind: 'forward' };
    case 'rr':
      return { kind: 'rr', traffic };
  }
}

/** Rates between two looks at the guest's counters. */
export function ratesOf(workload: RealWorkload, before: FrontendFigures, after: FrontendFigures) {
  const seconds = (after.elapsedMs - before.elapsedMs) / 1000;
  const isReceived = workload === 'rx' || workload === 'rr' || workload === 'v2v';
  const frames = isReceived ? after.rx.packets - before.rx.packets : after.tx.completed - before.tx.completed;
  const kicks = after.tx.kicks + after.rx.kicks - before.tx.kicks - before.rx.kicks;
  const calls = after.tx.interrupts + after.rx.interrupts - before.tx.interrupts - before.rx.interrupts;
  const per = (count: number): number => (frames > 0 ? count / frames : 0);
  return { mpps: frames / seconds / 1e6, kicksPerFrame: per(kicks), callsPerFrame: per(calls) };
}

export function latencyOf(latency: { p50Ns: number; p99Ns: number } | undefined) {
  return {
    latencyUs: latency === undefined ? undefined : { p50: latency.p50Ns / 1000, p99: latency.p99Ns / 1000 },
  };
}

export function coresOf(cpu: number, before: FrontendFigures, after: FrontendFigures) {
  return { backendCores: cpu / ((after.elapsedMs - before.elapsedMs) / 1000) };
}

/** Waits; rejects when the user interrupts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(new DOMException('interrupted', 'AbortError'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end);
      resolve();
    }, ms);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
