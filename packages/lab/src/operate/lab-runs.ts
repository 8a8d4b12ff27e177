import type { CostProfile } from '@vhostlab/cost-profile';
import { type CompareEnvironment, compare } from '../compare/compare.ts';
import { lateEventNotes } from '../compare/event-outcomes.ts';
import { migrationNotes } from '../compare/migration-notes.ts';
import { swapNotes } from '../compare/swap-outcome.ts';
import type { Lab } from '../run/run-scenario.ts';
import { packetsOf } from '../scenario/build.ts';
import type { Tracing } from '../services/serve.ts';
import { scenariosOf } from './actions.ts';
import type { LabFolder } from './lab-folder.ts';
import type { LabRecord } from './lab-record.ts';
import type { RunInputs } from './run-inputs.ts';
import { finished, type WantedLab } from './state.ts';
import type { Watchdog } from './watchdog.ts';

/** What the runs of a lab need besides their inputs. */
export interface RunSurroundings {
  readonly folder: LabFolder;
  readonly record: LabRecord;
  readonly watchdog: Watchdog;
  readonly tracing: Tracing;
  readonly versions: Record<string, string>;
  /** The processes have met: who has met whom. Called for every run. */
  onJoined(neighbours: ReadonlyMap<string, readonly string[]>): void;
  /** What ended the run, for people. */
  causeOf(error: unknown): Error;
}

/** Frames that run number `current` has delivered so far. */
export function tellProgress(
  { watchdog, record }: Pick<RunSurroundings, 'watchdog' | 'record'>,
  current: number,
  delivered: number,
): void {
  watchdog.progress();
  record.progress(current, delivered);
}

/**
 * Runs what a lab's file says, one workload and back end after the other, into a new run folder, and keeps the lab's
 * record. Throws what ended a run before its end; the run folder says it, too.
 */
export async function runAll(
  lab: Lab,
  wanted: WantedLab,
  { options, capture, profile, opened }: RunInputs,
  signal: AbortSignal,
  around: RunSurroundings,
): Promise<void> {
  const { record, watchdog } = around;
  const { state, events } = record;
  state.runs = scenariosOf(wanted).map((name) => ({
    name,
    state: 'waiting',
    packets: packetsOf(name.split('/')[0] as never, options, capture),
    delivered: 0,
  }));
  delete state.error;
  delete state.event_log_sha256;
  delete state.measured;
  const folder = newRunFolder(wanted, options, profile, around);
  let current = -1;
  const environment: CompareEnvironment = {
    lab: { ...lab, onProgress: (progress) => tellProgress(around, current, progress.delivered) },
    tracing: around.tracing,
    profile,
    ...(capture === undefined ? {} : { capture }),
    folder,
    plugins: opened.plugins,
    signal,
    ...(wanted.description.topology.wireLatencyNs === undefined
      ? {}
      : { wireLatencyNs: wanted.description.topology.wireLatencyNs }),
    onScenario: () => {
      current++;
      state.runs[current] = { ...state.runs[current], state: 'running' };
      events.add('run', state.runs[current].name, 'started', `${state.runs[current].packets} packets`);
      watchdog.running(true);
    },
    onJoined: (neighbours) => around.onJoined(neighbours),
    onResult: (result) => {
      state.runs[current] = finished(state.runs[current], result);
      const { offered, delivered, dropped } = result.frames;
      events.add(
        'run',
        state.runs[current].name,
        'complete',
        `${offered} frames offered, ${delivered} delivered, ${dropped} dropped`,
      );
      for (const note of lateEventNotes(result.events))
        events.add('run', state.runs[current].name, 'late', note);
      for (const note of migrationNotes(result.migration)) {
        events.add('run', state.runs[current].name, 'migrate', note);
      }
      for (const note of swapNotes(result.swaps)) events.add('run', state.runs[current].name, 'swap', note);
      watchdog.running(false);
    },
  };
  try {
    const comparison = await compare(options, environment);
    folder.writeJson('summary.json', comparison);
    state.event_log_sha256 = comparison.event_log_sha256;
    if (comparison.measured !== undefined) state.measured = comparison.measured;
    folder.describe({
      state: 'complete',
      finished_at: new Date().toISOString(),
      results: comparison.results.length,
      event_log_sha256: comparison.event_log_sha256,
    });
    events.add('lab', state.name, 'complete', `event log ${comparison.event_log_sha256}`);
    record.set('complete', true);
  } catch (error) {
    const cause = around.causeOf(error);
    if (current >= 0) state.runs[current] = { ...state.runs[current], state: 'failed' };
    folder.describe({ finished_at: new Date().toISOString(), error: cause.message });
    throw (cause as NodeJS.ErrnoException).code === 'ENOSPC' ? around.folder.diskFault(cause) : cause;
  } finally {
    watchdog.running(false);
  }
}

function newRunFolder(
  wanted: WantedLab,
  options: RunInputs['options'],
  profile: CostProfile,
  { folder: labFolder, record, versions }: RunSurroundings,
): ReturnType<LabFolder['newRun']> {
  const folder = labFolder.newRun();
  record.state.run_folder = folder.path;
  folder.describe({
    schema: 1,
    id: folder.id,
    state: 'incomplete',
    started_at: new Date().toISOString(),
    command_line: ['lab', 'up', wanted.file],
    versions,
    options,
    profile: profile.name,
  });
  folder.write('lab.yaml', wanted.text);
  return folder;
}
