import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { compileCostProfile, parseCostProfile } from '../../packages/cost-profile/src/index.ts';
import {
  buildScenario,
  openEmbeddedLab,
  parseCompareOptions,
  runScenario,
  type Tracing,
} from '../../packages/lab/src/index.ts';
import { BACKENDS, listWorkloads } from '../../packages/workload/src/index.ts';

const PROFILE = new URL('../../packages/cost-profile/profiles/reference.yaml', import.meta.url);
const TARGET_PPS = 300_000;
const NO_TRACING: Tracing = {
  providerFor: () => undefined,
  takeSpans: () => ({ otlpJson: new Uint8Array(0), dropped: 0 }),
};

interface Round {
  seconds: number;
  cpuSeconds: number;
  offered: number;
  delivered: number;
}

/** One value of a list of names. Throws an Error that names the choices. */
function choice<T extends string>(what: string, value: string, among: readonly T[]): T {
  const found = among.find((name) => name === value);
  if (found === undefined) throw new Error(`--${what} ${value}: choose one of ${among.join(', ')}`);
  return found;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/**
 * `npm run bench -- sim [--packets N] [--rounds N] [--backend NAME] [--workload NAME] [--execution rtc|pipeline] [--ring
 * split|packed] [--rate R]`:
 * simulated packets per second of wall clock, embedded, no packet sampled. Set-up of the scenario and collection of its
 * results are part of the time.
 */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      packets: { type: 'string', default: '1000000' },
      rounds: { type: 'string' },
      backend: { type: 'string', default: 'vhost-user' },
      workload: { type: 'string', default: 'pvp' },
      execution: { type: 'string', default: 'rtc' },
      ring: { type: 'string', default: 'split' },
      rate: { type: 'string' },
    },
  });
  const packets = Number(values.packets);
  const rounds = Number(values.rounds ?? (packets > 2_000_000 ? 1 : 5));
  const workload = choice(
    'workload',
    values.workload,
    listWorkloads().map(({ name }) => name),
  );
  const backend = choice('backend', values.backend, BACKENDS);
  const options = parseCompareOptions({
    packets,
    workloads: [workload],
    backends: [backend],
    execution: values.execution,
    ring: values.ring,
    samples: 0,
    ...(values.rate === undefined ? {} : { rate: values.rate }),
  });
  const text = readFileSync(PROFILE, 'utf8');
  const profile = parseCostProfile(text, 'reference.yaml');
  const results: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const lab = openEmbeddedLab(NO_TRACING);
    const from = process.hrtime.bigint();
    const cpuFrom = process.cpuUsage();
    const outcome = await runScenario(lab, {
      name: `${workload}/${backend}`,
      config: buildScenario(backend, workload, options, undefined),
      profileJson: JSON.stringify(profile),
      profile: compileCostProfile(profile),
      samplingStride: 0,
    });
    const seconds = Number(process.hrtime.bigint() - from) / 1e9;
    const cpu = process.cpuUsage(cpuFrom);
    const cpuSeconds = (cpu.user + cpu.system) / 1e6;
    const total = (counter: string): number =>
      outcome.cores.reduce((sum, { counters }) => sum + (counters[counter] ?? 0), 0);
    results.push({
      seconds,
      cpuSeconds,
      offered: total('frames.offered'),
      delivered: total('frames.delivered'),
    });
    outcome.close();
    await lab.close();
  }
  const offered = median(results.map((round) => round.offered / round.seconds));
  const delivered = median(results.map((round) => round.delivered / round.seconds));
  const rates = results.map((round) => Math.round(round.offered / round.seconds).toLocaleString('en'));
  const megabytes = process.resourceUsage().maxRSS / 1024;
  console.log(`sim: ${backend} ${workload}, ${values.execution}, ${packets} packets, ${rounds} rounds`);
  console.log(
    `offered per wall second:   ${Math.round(offered).toLocaleString('en')} (median of ${rates.join(' ')})`,
  );
  console.log(`delivered per wall second: ${Math.round(delivered).toLocaleString('en')}`);
  const perCpu = median(results.map((round) => round.offered / round.cpuSeconds));
  console.log(
    `offered per CPU second:    ${Math.round(perCpu).toLocaleString('en')} (the same on an idle machine)`,
  );
  console.log(`peak resident memory:      ${megabytes.toFixed(0)} MB`);
  if (backend === 'vhost-user' && workload === 'pvp') {
    console.log(`target ${TARGET_PPS.toLocaleString('en')}: ${offered >= TARGET_PPS ? 'met' : 'missed'}`);
  }
}
