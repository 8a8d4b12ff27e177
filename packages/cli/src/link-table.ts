import type { LinkSnapshot } from '@vhostlab/vhost-device';

/** Text of a latency with the error of the clocks, as `vhost-device` has it. */
export type LatencyText = (latencyNs: number | undefined, errorNs: number | undefined) => string;

/** What a link has carried, a line per queue pair: frames both ways, drops with their reasons, and the latency if it is known. */
export function linkTable(pairs: readonly LinkSnapshot[], latencyText: LatencyText): string {
  return pairs.map((pair) => `${lineOf(pair, latencyText)}\n`).join('');
}

function lineOf(pair: LinkSnapshot, latencyText: LatencyText): string {
  const drops = Object.entries(pair).filter(([name, count]) => name.startsWith('drop_') && count > 0);
  const { sent_frames, sent_bursts, received_frames, received_bursts, connected, connections } = pair;
  const known = (value: number): number | undefined => (value < 0 ? undefined : value);
  return [
    `link, queue pair ${pair.pair}: ${connected === 1 ? 'connected' : 'not connected'} (${connections} so far)`,
    `sent ${sent_frames} frames in ${sent_bursts} bursts`,
    `received ${received_frames} in ${received_bursts}`,
    drops.length === 0 ? 'no drops' : drops.map(([name, count]) => `${count} ${reason(name)}`).join(', '),
    latencyText(known(pair.latency_ns), pair.round_trip_ns === 0 ? undefined : known(pair.clock_error_ns)),
  ].join('; ');
}

function reason(name: string): string {
  return name.slice('drop_'.length).replaceAll('_', '-');
}
