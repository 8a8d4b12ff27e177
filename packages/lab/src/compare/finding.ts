import type { Result } from './result.ts';

/** One paragraph on what a comparison shows, made of its rows. */
export function findingOf(results: readonly Result[], profileName: string): string {
  const sentences: string[] = [];
  for (const workload of [...new Set(results.map((result) => result.workload))]) {
    const rows = results.filter((result) => result.workload === workload);
    sentences.push(workload === 'rr' ? latencySentence(rows) : throughputSentence(workload, rows));
  }
  sentences.push(`All figures are modelled with the cost profile "${profileName}".`);
  return sentences.join(' ');
}

function throughputSentence(workload: string, rows: readonly Result[]): string {
  const order = [...rows].sort((x, y) => y.throughput_mpps - x.throughput_mpps);
  const parts = order.map((row) => `${row.backend} ${row.throughput_mpps.toFixed(2)} Mpps`);
  const best = order[0];
  const last = order.at(-1) as Result;
  if (order.length === 1) return `In ${workload}, ${parts[0]}, held by ${place(best)}.`;
  const factor = last.throughput_mpps > 0 ? best.throughput_mpps / last.throughput_mpps : 0;
  const cost = order.map((row) => `${row.backend} ${perMpps(row)}`).join(', ');
  return (
    `In ${workload}, ${parts.join(', ')}: ${best.backend} carries ${factor.toFixed(1)} times the packets of ${last.backend}, ` +
    `which is held by ${place(last)}; host cores per Mpps are ${cost}.`
  );
}

function latencySentence(rows: readonly Result[]): string {
  const order = [...rows].sort((x, y) => x.latency_us.p50 - y.latency_us.p50);
  const parts = order.map((row) => `${row.backend} ${row.latency_us.p50.toFixed(1)} us`);
  const exits = [...rows].sort((x, y) => y.per_packet.exits - x.per_packet.exits)[0];
  return `A request and its answer take ${parts.join(', ')} (median); ${exits.backend} leaves the guest most often, ${exits.per_packet.exits.toFixed(1)} exits each.`;
}

function place(row: Result): string {
  return `${row.bottleneck.stage} on ${row.bottleneck.core}`;
}

/** Host cores that a million packets per second take. */
export function hostCoresPerMpps(row: Result): number {
  return row.throughput_mpps > 0 ? row.host_cores / row.throughput_mpps : 0;
}

function perMpps(row: Result): string {
  return hostCoresPerMpps(row).toFixed(2);
}
