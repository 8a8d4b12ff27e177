import type { ChannelPlan, CorePlan, Ps, RunPlan, WindowPlan } from './api.ts';

/**
 * What a channel crosses; the cost profile gives its latencies as `latency.<class>.ab` and `.ba` (a to b).
 * coherent: a cache line between two cores. dma: driver (a) and PCIe device (b). register: a CPU's register
 * accesses (a) to an emulated device (b). ring: a lock-free ring between cores. wire: two Ethernet ports.
 * netlink: datapath (a) and switch service (b). syscall: VMM (a) and kernel or back end (b). ipi: two vCPUs.
 */
export const LATENCY_CLASSES = [
  'coherent',
  'dma',
  'register',
  'ring',
  'wire',
  'netlink',
  'syscall',
  'ipi',
] as const;
export type LatencyClass = (typeof LATENCY_CLASSES)[number];

/** One end of a channel as its component describes it; the end of the same channel elsewhere completes it. */
export interface EndPlan {
  /** Both components name the channel alike. */
  channel: string;
  kind: ChannelPlan['kind'];
  /** `a` is the driver, sender of requests or first port. */
  side: 'a' | 'b';
  core: string;
  /** Name under which the core's module asks for it. */
  end: string;
  latency: LatencyClass;
  window?: string;
  queueSizes?: number[];
  capacity?: number;
  bufferBytes?: number;
}

/** What a component consists of: the answer of a service's Create. */
export interface ComponentPlan {
  cores: CorePlan[];
  windows: WindowPlan[];
  ends: EndPlan[];
}

/**
 * Joins components into one plan. Cores, windows and channels are ordered by id, so the plan does not depend
 * on the order of the answers. Throws, naming the channel, when an end has no partner or the two disagree.
 */
export function assemble(
  components: readonly ComponentPlan[],
  latencyPs: (latency: LatencyClass, direction: 'ab' | 'ba') => Ps,
  run: Pick<RunPlan, 'seed' | 'sampling' | 'accountFromPs' | 'copyMode' | 'taps' | 'timelineSpanPs'>,
): RunPlan {
  const byId = <T extends { id: string }>(x: T, y: T) => (x.id < y.id ? -1 : x.id > y.id ? 1 : 0);
  const cores = components.flatMap((component) => component.cores).sort(byId);
  const windows = components.flatMap((component) => component.windows).sort(byId);
  for (const list of [cores, windows]) {
    for (let i = 1; i < list.length; i++) {
      if (list[i].id === list[i - 1].id) throw new Error(`two components both define ${list[i].id}`);
    }
  }
  const ends = new Map<string, { a?: EndPlan; b?: EndPlan }>();
  for (const end of components.flatMap((component) => component.ends)) {
    const pair = ends.get(end.channel) ?? {};
    if (pair[end.side] !== undefined)
      throw new Error(`channel ${end.channel}: two ends claim side ${end.side}`);
    pair[end.side] = end;
    ends.set(end.channel, pair);
  }
  const channels = [...ends].map(([id, { a, b }]): ChannelPlan => {
    if (a === undefined || b === undefined) {
      const known = (a ?? b) as EndPlan;
      throw new Error(`channel ${id}: ${known.core}/${known.end} has no other end`);
    }
    if (a.kind !== b.kind || a.latency !== b.latency) {
      throw new Error(`channel ${id}: ends disagree (${a.kind} ${a.latency}, ${b.kind} ${b.latency})`);
    }
    const window = a.window ?? b.window;
    const hasOwn = b.window !== undefined && b.window !== window;
    const queueSizes = a.queueSizes ?? b.queueSizes;
    const capacity = a.capacity ?? b.capacity;
    const bufferBytes = a.bufferBytes ?? b.bufferBytes;
    return {
      id,
      kind: a.kind,
      a: { core: a.core, end: a.end },
      b: { core: b.core, end: b.end },
      latencyPs: { ab: latencyPs(a.latency, 'ab'), ba: latencyPs(a.latency, 'ba') },
      ...(window === undefined ? {} : { window }),
      ...(hasOwn ? { deviceWindow: b.window } : {}),
      ...(queueSizes === undefined ? {} : { queueSizes }),
      ...(capacity === undefined ? {} : { capacity }),
      ...(bufferBytes === undefined ? {} : { bufferBytes }),
    };
  });
  channels.sort(byId);
  return { ...run, cores, windows, channels };
}
