import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileCostProfile, parseCostProfile } from '../../packages/cost-profile/src/index.ts';
import {
  buildScenario,
  parseCompareOptions,
  type RunMeasurement,
  readLabFile,
  runScenario,
  type ScenarioOutcome,
  type Tracing,
} from '../../packages/lab/src/index.ts';
import { planActions } from '../../packages/lab/src/operate/actions.ts';
import { LabServices } from '../../packages/lab/src/operate/lab-services.ts';
import { mergeLog } from '../../packages/trace/src/index.ts';

const BIN = new URL('../../packages/cli/bin/vhostlab.mjs', import.meta.url).pathname;
const PROFILE = new URL('../../packages/cost-profile/profiles/reference.yaml', import.meta.url);
const NO_TRACING: Tracing = {
  providerFor: () => undefined,
  takeSpans: () => ({ otlpJson: new Uint8Array(0), dropped: 0 }),
};

/** Placements of a lab with a wire of 10 µs one way. */
export const CUTS = {
  'cut at the wire': '{default: embedded, nodes: {station: process}}',
  'cut everywhere': '{default: process, nodes: {station: process}}',
} as const;

function labText(placement: string, packets: number): string {
  return `schema: 1
name: bench
system:
  workloads: [pvp]
  traffic: {packets: ${packets}, rate: 4Mpps}
  nodes: {vm: {kind: guest}, host: {kind: backend}, bridge: {kind: switch}, card: {kind: nic}}
  links:
    - [vm:vq, host:vq]
    - [host:upcall, bridge:upcall]
    - [host:nic, card:host]
    - {endpoints: [card:wire, station:wire], latency: 10us}
roles: {backends: [vhost-user]}
observation: {samples: 0}
placement: ${placement}
`;
}

/** One placement, open: `run` answers the seconds of a run and its outcome's facts. */
async function open(placement: string, packets: number, sockets: string) {
  const text = labText(placement, packets);
  const description = readLabFile(text, 'bench.lab.yaml');
  const wanted = { file: 'bench.lab.yaml', text, vars: {}, description };
  const services = new LabServices(undefined);
  const lost = new AbortController();
  const around = {
    tracing: NO_TRACING,
    command: (part: string, address: string) => ({
      file: process.execPath,
      args: [BIN, 'serve', part, '--listen', address, '--exit-with-stdin'],
    }),
    sockets,
    security: {},
    remoteSecurity: {},
    endpointReadyMs: 1000,
    onLost: (_: string, error: Error) => lost.abort(error),
    onProgress: () => undefined,
  };
  const actions = planActions({ services: new Map(), runKey: undefined, isRunning: false }, wanted);
  await services.change(actions, description.topology, around);
  await Promise.all(services.placed.map((placed) => placed.ready(lost.signal)));
  const lab = services.lab(around, lost.signal);
  const options = parseCompareOptions(description.options);
  const profile = parseCostProfile(readFileSync(PROFILE, 'utf8'), 'reference.yaml');
  const input = {
    name: 'pvp/vhost-user',
    config: buildScenario('vhost-user', 'pvp', options, undefined),
    profileJson: JSON.stringify(profile),
    profile: compileCostProfile(profile),
    samplingStride: 0,
    wireLatencyNs: description.topology.wireLatencyNs ?? 0,
  };
  return {
    run: async (): Promise<{ seconds: number; hash: string; measured?: RunMeasurement }> => {
      const from = process.hrtime.bigint();
      const outcome = await runScenario(lab, input);
      const seconds = Number(process.hrtime.bigint() - from) / 1e9;
      const hash = hashOf(outcome);
      outcome.close();
      return { seconds, hash, ...(outcome.measured === undefined ? {} : { measured: outcome.measured }) };
    },
    close: () => services.end(false),
  };
}

function hashOf({ name, parts }: ScenarioOutcome): string {
  const hash = createHash('sha256');
  mergeLog([{ name, parts }], (bytes) => hash.update(bytes));
  return hash.digest('hex');
}

const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[all.length >> 1];

/**
 * Wall time of one run of pvp over vhost-user with a wire of 10 µs, embedded and cut, one after the other in every round;
 * throws when the event logs differ. The first run of each is not counted.
 */
export async function distributed(cut: keyof typeof CUTS, packets: number, rounds: number): Promise<void> {
  const sockets = mkdtempSync(join(tmpdir(), 'vhostlab-bench-'));
  const labs = [];
  try {
    for (const [name, placement] of Object.entries({ embedded: 'embedded', [cut]: CUTS[cut] })) {
      const folder = mkdtempSync(join(sockets, 'lab-'));
      labs.push({ name, ...(await open(placement, packets, folder)), seconds: [] as number[] });
    }
    let expected = '';
    const last = new Map<string, RunMeasurement>();
    for (let round = -1; round < rounds; round++) {
      for (const lab of labs) {
        const { seconds, hash, measured } = await lab.run();
        if (expected === '') expected = hash;
        if (hash !== expected) throw new Error(`${lab.name} has another event log than ${labs[0].name}`);
        if (round >= 0) lab.seconds.push(seconds);
        if (measured !== undefined) last.set(lab.name, measured);
      }
    }
    console.log(
      `a wire of 10 µs, pvp over vhost-user, ${packets} packets, ${rounds} rounds, the same event log`,
    );
    const base = median(labs[0].seconds);
    for (const { name, seconds } of labs) {
      const wall = median(seconds);
      console.log(
        `${name.padEnd(16)} ${wall.toFixed(2)} s (${seconds.map((each) => each.toFixed(2)).join(' ')}), ${(wall / base).toFixed(2)} times embedded`,
      );
      const measured = last.get(name);
      if (measured === undefined) continue;
      const { coupling, rounds: count, wall_ms, null_message_ratio, processes } = measured;
      console.log(
        `  λ ${coupling.lambda}, lookahead ${coupling.lookahead_ns} ns, ${count} rounds of ${((1000 * wall_ms) / count).toFixed(0)} µs, message ${coupling.message_us} µs, ${(100 * null_message_ratio).toFixed(0)} % null`,
      );
      console.log(
        `  ${processes.map(({ process, work_ms, waiting_ms }) => `${process}: work ${work_ms.toFixed(0)} ms, waiting ${waiting_ms.toFixed(0)} ms`).join('; ')}`,
      );
    }
  } finally {
    await Promise.all(labs.map((lab) => lab.close()));
    rmSync(sockets, { recursive: true, force: true });
  }
}
