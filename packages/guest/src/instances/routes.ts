import type { PairLayout } from '@vhostlab/workload';
import type { MemoryPart } from './routed-memory.ts';

/** Names of a vCPU's ends to its queue pair at each instance. */
export function routeEnds(routes: readonly unknown[]): string[] {
  return routes.map((_, instance) => `vq@${instance}`);
}

/** The memory of a queue pair, from arena offset `base` of guest address 0. Rings also count when they are empty. */
export function pairMemory(pair: PairLayout, base: number): MemoryPart[] {
  const { rxRing, txRing, tables, small, large, faultBuffers } = pair;
  return [
    { from: base + rxRing, bytes: txRing - rxRing, whole: true },
    { from: base + txRing, bytes: tables - txRing, whole: true },
    { from: base + tables, bytes: small.gpa - tables, whole: true },
    { from: base + small.gpa, bytes: small.count * small.stride, whole: false },
    { from: base + large.gpa, bytes: large.count * large.stride, whole: false },
    ...faultBuffers.map(({ gpa, bytes }) => ({ from: base + gpa, bytes, whole: false })),
  ];
}
