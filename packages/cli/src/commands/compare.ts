import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CostProfile } from '@vhostlab/cost-profile';
import type { Capture, CompareOptions, LabDescription, OpenPlugins, Progress } from '@vhostlab/lab';
import type { Command } from 'commander';
import { addCompareOptions, type CompareFlags, toCompareInput, toRealInput } from '../compare-options.ts';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';
import { pluginArguments, withPlugins } from '../plugin-words.ts';
import { VERSION } from '../version.ts';

const BIN = fileURLToPath(new URL('../../bin/vhostlab.mjs', import.meta.url));

export const examples = [
  ['vhostlab compare', 'throughput (pvp) and latency (rr) of the four back ends'],
  ['vhostlab compare --workload v2v --size 1518 --queues 4', 'guest to guest, full-size frames, four queues'],
  ['vhostlab compare --lab examples/pvp.lab.yaml --seed 2', 'what a lab file says, with another seed'],
  ['vhostlab compare --clock real --repeat 5', 'measured on this machine: our guest against our back ends'],
  [
    'vhostlab compare --plugin ./my-switch,delayNs=500',
    'a plugin of your own beside the four, as a row of its own',
  ],
  [
    'vhostlab compare --pcap examples/traffic/mixed.pcapng --workload rx --json',
    'replay a capture, JSON out',
  ],
] as const;

/** Adds `vhostlab compare`. */
export function register(program: Command, io: Io): void {
  const command = program
    .command('compare')
    .description('run the same packets over the back ends and compare time, copies, exits and CPU')
    .option('--json', 'print one JSON object instead of the table');
  addCompareOptions(command)
    .addHelpText(
      'after',
      `\nExamples:\n${examples.map(([line, meaning]) => `  ${line}\n      ${meaning}`).join('\n')}`,
    )
    .action((flags: CompareFlags) => (flags.clock === 'real' ? runReal(io, flags) : run(io, flags)));
}

/** Measures on this machine what can be measured on it. */
async function runReal(io: Io, flags: CompareFlags): Promise<void> {
  const lab = await import('@vhostlab/lab');
  const { json, ...input } = toRealInput(flags);
  const options = lab.parseRealOptions(input);
  const progress = io.progress();
  try {
    const comparison = await lab.compareReal(options, {
      program: { file: process.execPath, args: [BIN] },
      signal: io.interruptible(),
      onRound: (text) => progress.update(text),
    });
    progress.done();
    if (json === true) io.out(`${JSON.stringify(comparison)}\n`);
    else io.out((await import('../real-table.ts')).renderReal(comparison));
  } catch (error) {
    progress.done();
    throw error;
  }
}

async function run(io: Io, flags: CompareFlags): Promise<void> {
  const lab = await import('@vhostlab/lab');
  for (const name of ['repeat', 'duration'] as const) {
    if (flags[name] !== undefined)
      throw new OperatorError(`--${name} needs --clock real: virtual time repeats itself`);
  }
  const file = flags.lab === undefined ? undefined : lab.loadLabFile(flags.lab);
  if (file !== undefined) refuseLabsOnly(file, flags);
  const backends = await withPlugins(flags.backends ?? file?.options.backends, flags.plugin);
  const options = lab.parseCompareOptions({
    ...file?.options,
    ...toCompareInput(flags),
    ...(backends === undefined ? {} : { backends }),
  });
  const profile = await (await import('../profiles.ts')).loadProfile(options.profile);
  const pcap = flags.pcap ?? file?.pcap;
  const capture = pcap === undefined ? undefined : lab.loadCapture(readInput(pcap), pcap);
  const opened = await openPlugins(lab.pluginPlaces(options.backends));
  try {
    lab.checkScenarios(options, capture, opened.plugins);
    await runOver(io, flags, { options, profile, pcap, capture, opened, file });
  } finally {
    await opened.close();
  }
}

/** Plugins among the back ends; nothing is loaded when there are none. */
async function openPlugins(places: readonly string[]): Promise<OpenPlugins> {
  if (places.length === 0) return { plugins: new Map(), close: async () => undefined };
  return (await import('@vhostlab/plugin-kit')).openPlaces(places);
}

/** What a comparison is about. */
interface Inputs {
  options: CompareOptions;
  profile: CostProfile;
  pcap: string | undefined;
  capture: Capture | undefined;
  opened: OpenPlugins;
  file: LabDescription | undefined;
}

async function runOver(
  io: Io,
  flags: CompareFlags,
  { options, profile, pcap, capture, opened: { plugins }, file }: Inputs,
): Promise<void> {
  const lab = await import('@vhostlab/lab');
  const startedAt = new Date();
  const folder = lab.RunFolder.create(flags.out, startedAt);
  const [{ startTracing }, { withSpan }] = await Promise.all([
    import('../tracing.ts'),
    import('@vhostlab/contracts'),
  ]);
  const tracing = startTracing('lab', folder.id, VERSION);
  const progress = io.progress();
  let doing = '';
  folder.describe({
    schema: 1,
    id: folder.id,
    state: 'incomplete',
    started_at: startedAt.toISOString(),
    command_line: process.argv.slice(2),
    versions: { vhostlab: VERSION, node: process.version },
    options,
    profile: profile.name,
  });
  folder.write(
    'lab.yaml',
    lab.builtInCompareLab(options, {
      name: file?.name ?? 'compare',
      ...(pcap === undefined ? {} : { pcap: resolve(pcap) }),
    }),
  );
  const signal = io.interruptible();
  const service = (role: string, address: string, plugins: readonly string[] = []) => ({
    file: process.execPath,
    args: [
      BIN,
      'serve',
      role,
      '--listen',
      address,
      '--exit-with-stdin',
      '--spans',
      ...pluginArguments(plugins),
    ],
  });
  const onProgress = ({ delivered, reachedPs }: Progress): void =>
    progress.update(
      `${doing}: ${delivered} delivered after ${(reachedPs / 1e9).toFixed(3)} ms of virtual time`,
    );
  let open: import('@vhostlab/lab').OpenLab | undefined;
  try {
    const opened =
      options.placement === 'process'
        ? await lab.openProcessLab(tracing, service, {
            signal,
            onProgress,
            plugins: [...plugins.keys()],
          })
        : lab.openEmbeddedLab(tracing, onProgress, plugins);
    open = opened;
    const { joinSpans, reportOf } = await import('../report.ts');
    const commandLine = process.argv.slice(2);
    const traced = { 'vhostlab.run.id': folder.id };
    const [comparison, spans] = await withSpan(
      tracing.providerFor('lab'),
      'vhostlab compare',
      traced,
      async () => [
        await lab.compare(options, {
          lab: opened,
          tracing,
          profile,
          ...(capture === undefined ? {} : { capture }),
          folder,
          plugins,
          signal,
          onScenario: (workload, backend, packets) => {
            doing = `${workload} over ${backend}, ${packets} packets`;
            progress.update(doing);
          },
        }),
        await opened.readSpans(),
      ],
    );
    progress.update('writing the report');
    const finding = lab.findingOf(comparison.results, profile.name);
    folder.writeJson('summary.json', { ...comparison, finding });
    folder.write('otlp.json', joinSpans(tracing, spans));
    folder.write(
      'report.html',
      reportOf(comparison, finding, options, commandLine, profile.description, folder),
    );
    folder.describe({
      state: 'complete',
      finished_at: new Date().toISOString(),
      results: comparison.results.length,
      event_log_sha256: comparison.event_log_sha256,
    });
    progress.done();
    if (flags.json === true) io.out(`${JSON.stringify(comparison)}\n`);
    else io.out((await import('../compare-table.ts')).renderComparison(comparison, finding, folder.path));
  } catch (error) {
    progress.done();
    const cause = open?.lost?.aborted === true ? open.lost.reason : error;
    folder.describe({
      finished_at: new Date().toISOString(),
      error: signal.aborted ? 'interrupted' : cause instanceof Error ? cause.message : String(cause),
    });
    throw cause;
  } finally {
    await open?.close();
    await tracing.telemetry.shutdown();
  }
}

/** Refuses what a lab file can say and this command does not do; --placement may replace the file's. */
function refuseLabsOnly(file: LabDescription, flags: CompareFlags): void {
  if (file.real !== undefined) {
    throw new OperatorError(
      `--lab: ${flags.lab} is a lab of real programs (time: {clock: real}); bring it up with vhostlab lab up`,
    );
  }
  const { services, wireLatencyNs } = file.topology;
  const mend = 'run it with vhostlab lab up';
  if (wireLatencyNs !== undefined)
    throw new OperatorError(`--lab: ${flags.lab} sets the latency of the wire; ${mend}`);
  const places = new Set(Object.values(services).map(({ how }) => how));
  const known = places.has('embedded') || places.has('process');
  if (flags.placement === undefined && (places.size > 1 || !known)) {
    throw new OperatorError(
      `--lab: ${flags.lab} places services as ${[...places].join(' and ')}; ${mend}, or give --placement embedded or process`,
    );
  }
}

function readInput(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT' ? 'does not exist' : code === 'EISDIR' ? 'is a folder' : `cannot be read (${code})`;
    throw new OperatorError(`--pcap: ${path} ${why}; name a pcap or pcapng file`);
  }
}
