import type { RealLab } from '../../lab-file/real-lab.ts';
import { isSpare } from '../../lab-file/real-links.ts';
import { nameFeatures } from '../../real-nodes/offered-features.ts';
import type { RunningNode } from '../../real-nodes/running-node.ts';
import { UsageError } from '../../scenario/options.ts';

const RING_PACKED = 1n << 34n;

/** A back end in place of another one. */
export interface RealSwap {
  /** The back end that leaves, a spare one from then on. */
  readonly from: string;
  readonly to: string;
  /** The lab afterwards: every front end of `from` is joined to the same port of `to`. */
  readonly lab: RealLab;
}

/**
 * What `swap GUEST --to NODE` makes of a lab: the back end of the guest is replaced, for all that are joined to it. Throws
 * UsageError when there is no such guest, or when its back end cannot be replaced while it runs.
 */
export function planSwap(lab: RealLab, guest: string, to: string): RealSwap {
  const links = lab.links.filter(({ front }) => front.node === guest);
  if (links.length === 0) {
    const guests = [...new Set(lab.links.map(({ front }) => front.node))].join(', ');
    throw new UsageError(`${guest} is no front end of this lab; there are ${guests}`);
  }
  const backs = [...new Set(links.map(({ back }) => back.node))];
  if (backs.length > 1) {
    throw new UsageError(
      `${guest} has the back ends ${backs.join(' and ')}; only one can be replaced at a time`,
    );
  }
  const [from] = backs;
  const old = lab.nodes.find(({ name }) => name === from);
  if (old?.kind !== 'backend') {
    throw new UsageError(
      `${from}, the back end of ${guest}, is a ${old?.kind}; only a backend can be replaced while its guests run, because they keep the features that they have negotiated`,
    );
  }
  const spares = lab.nodes.filter((node) => isSpare(node, lab.links)).map(({ name }) => name);
  const next = lab.nodes.find(({ name }) => name === to);
  if (next?.kind !== 'backend' || !spares.includes(to)) {
    const there =
      spares.length === 0
        ? 'name one in the file: a backend without links'
        : `there are ${spares.join(', ')}`;
    throw new UsageError(`${to} is no spare back end of this lab; ${there}`);
  }
  for (const { front } of lab.links.filter(({ back }) => back.node === from)) {
    const owner = lab.nodes.find(({ name }) => name === front.node);
    if (owner?.kind !== 'qemu') {
      throw new UsageError(
        `${front.node} is joined to ${from} as well and is no qemu; only QEMU connects again`,
      );
    }
  }
  if (next.settings.queues < old.settings.queues) {
    throw new UsageError(
      `${to} has ${next.settings.queues} queue pairs and ${from} ${old.settings.queues}; guests keep theirs`,
    );
  }
  const changed = lab.links.map((link) => {
    if (link.back.node !== from) return link;
    const ends = link.ends.map((end) => (end.startsWith(`${from}:`) ? `${to}:${link.back.port}` : end));
    return { ...link, ends: [ends[0], ends[1]] as const, back: { ...link.back, node: to } };
  });
  return { from, to, lab: { ...lab, links: changed } };
}

/** Reads `{swap: {guest, to}}`, the only event that there is on the real clock. Throws UsageError for anything else. */
export function readSwap(eventJson: string): { guest: string; to: string } {
  let event: { at?: unknown; swap?: { guest?: unknown; to?: unknown } };
  try {
    event = JSON.parse(eventJson);
  } catch (error) {
    throw new UsageError(`the event is no JSON: ${(error as Error).message}`);
  }
  if (event.at !== undefined) {
    throw new UsageError(
      '--at is for the virtual clock; on the real clock a swap takes effect at once, leave it out',
    );
  }
  const { guest, to } = event.swap ?? {};
  if (typeof guest !== 'string' || typeof to !== 'string') {
    throw new UsageError(
      'on the real clock only a swap is an event; links and migrations are for the virtual clock',
    );
  }
  return { guest, to };
}

/**
 * Why guests could not go on with the back end `to`: it lacks a feature that they have negotiated and that `from` offers, or
 * their rings are packed. A guest that cannot be asked may have negotiated everything. QEMU tells a back end that it connects
 * to again where a split ring stands, by its used index; of a packed one there is no such index in memory, and QEMU 7.2 keeps
 * no inflight region (INFLIGHT_SHMFD) for network devices.
 */
export function swapProblem(
  from: string,
  old: Pick<RunningNode, 'features'>,
  to: string,
  next: Pick<RunningNode, 'features'>,
  guests: readonly Pick<RunningNode, 'negotiated'>[],
): string | undefined {
  const lacks = (old.features ?? 0n) & ~(next.features ?? 0n);
  const used = guests.reduce((bits, { negotiated }) => bits | (negotiated ?? lacks), 0n);
  const packed = guests.some(({ negotiated }) => ((negotiated ?? old.features ?? 0n) & RING_PACKED) !== 0n);
  if (packed) {
    return `guests of ${from} have negotiated RING_PACKED, and where a packed ring stands is known to its back end alone: QEMU cannot tell ${to}; use ring: split`;
  }
  const missing = nameFeatures(lacks & used);
  return missing.length === 0
    ? undefined
    : `${to} does not offer ${missing.join(', ')}, which guests of ${from} have negotiated; they keep what they have: give ${to} the mode, port and plugin of ${from}`;
}
