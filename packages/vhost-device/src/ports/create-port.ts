import { type MappedArena, monotonicNs, readFileBytes } from '@vhostlab/host';
import type { Arena } from '@vhostlab/memory';
import { createSource, type TrafficSpec } from '@vhostlab/workload';
import { LinkStatistics } from '../link/link-statistics.ts';
import { CapturePort } from './capture-port.ts';
import { DropPort } from './drop-port.ts';
import { GeneratePort } from './generate-port.ts';
import { LinkPort } from './link-port.ts';
import type { Port } from './port.ts';
import type { PortSpec } from './port-spec.ts';
import { SourcePort } from './source-port.ts';
import { TapPort } from './tap-port.ts';

const LINE_BPS = 100e9;
/** Frames of a source that goes on for as long as anybody watches. */
const ENDLESS = 1e9;

/** What a port is made in. */
export interface PortPlace {
  readonly mapped: MappedArena;
  readonly arena: Arena;
  readonly pair: number;
  readonly pairs: number;
  /** Longest frame that the guest can take. */
  readonly frameBytes: number;
}

/**
 * Makes the port of a queue pair; undefined for `echo` and `macswap`, which need none: the worker gives frames back
 * itself. Throws the system's error, or a RangeError that names what is wrong.
 */
export function createPort(spec: PortSpec, place: PortPlace): Port | undefined {
  const { arena, mapped, pair, pairs } = place;
  switch (spec.kind) {
    case 'drop':
      return new DropPort();
    case 'echo':
    case 'macswap':
      return undefined;
    case 'generate': {
      const isPaced = spec.rate !== 'unpaced';
      const traffic: TrafficSpec = {
        kind: 'udp',
        packets: ENDLESS,
        size: spec.size,
        rate: spec.rate,
        flows: 64,
        lineBps: LINE_BPS,
        seed: 1,
      };
      const source = createSource(traffic, { shard: pair, shards: pairs });
      return isPaced ? new SourcePort(arena, source, true, monotonicNs) : new GeneratePort(arena, source);
    }
    case 'link': {
      if (spec.open === undefined) throw new Error('a link is started before its ports are made');
      const counters = new LinkStatistics(pairs, spec.open.statistics).of(pair);
      return new LinkPort(spec.open.pairs[pair], counters, arena);
    }
    case 'pcap': {
      const source = spec.in === undefined ? undefined : replay(spec.in, spec.rate, place);
      return spec.out === undefined
        ? (source ?? new DropPort())
        : new CapturePort(fileOfPair(spec.out, pair, pairs), arena, source);
    }
    case 'switch':
      throw new Error('the switch stands behind plugins, not behind a worker');
    case 'tap':
      return new TapPort(spec.name, mapped, arena, pairs > 1);
  }
}

function replay(path: string, rate: string | undefined, place: PortPlace): Port {
  const traffic: TrafficSpec = {
    kind: 'pcap',
    lineBps: LINE_BPS,
    seed: 1,
    ...(rate === undefined ? {} : { rate }),
  };
  const source = createSource(traffic, {
    capture: readFileBytes(path),
    maxFrameBytes: place.frameBytes,
    shard: place.pair,
    shards: place.pairs,
  });
  return new SourcePort(place.arena, source, rate !== 'unpaced', monotonicNs);
}

/** One file per queue pair: `a.pcapng` becomes `a.1.pcapng` for pair 1. */
function fileOfPair(path: string, pair: number, pairs: number): string {
  if (pairs === 1) return path;
  const dot = path.lastIndexOf('.');
  return dot > path.lastIndexOf('/') ? `${path.slice(0, dot)}.${pair}${path.slice(dot)}` : `${path}.${pair}`;
}
