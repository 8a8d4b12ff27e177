import type { NodeRun, RunningNode } from '../../real-nodes/running-node.ts';
import type { LabFolder } from '../lab-folder.ts';
import type { LabRecord } from '../lab-record.ts';
import type { RunState } from '../state.ts';

/** One thing that a node is asked for. */
export interface Ask {
  readonly node: RunningNode;
  /** `NODE: WHAT`. */
  readonly name: string;
  readonly what: string;
}

/** Counts of a line such as `5 packets transmitted, 5 packets received`. */
export function countsOf(result: string): Pick<RunState, 'packets' | 'delivered'> {
  const ping = /(\d+) packets transmitted, (\d+) (?:packets )?received/.exec(result);
  const frames = /(\d+) frames received, (\d+) sent/.exec(result);
  if (ping !== null) return { packets: Number(ping[1]), delivered: Number(ping[2]) };
  if (frames !== null) return { packets: Number(frames[2]), delivered: Number(frames[1]) };
  return { packets: 0, delivered: 0 };
}

/**
 * Asks for one thing after the other and keeps what came of it: in the state, as events, and whole in a folder of the run.
 * A run that did not go well is no reason not to go on. Throws what `stop` is aborted with.
 */
export async function runAsks(
  asks: readonly Ask[],
  record: LabRecord,
  folder: LabFolder,
  stop: AbortSignal,
): Promise<void> {
  const { state, events } = record;
  state.runs = asks.map(({ name }): RunState => ({ name, state: 'waiting', packets: 0, delivered: 0 }));
  record.save();
  if (asks.length === 0) return;
  const run = folder.newRun();
  state.run_folder = run.path;
  for (const [number, { node, name, what }] of asks.entries()) {
    stop.throwIfAborted();
    state.runs[number] = { ...state.runs[number], state: 'running' };
    events.add('run', name, 'started');
    record.save();
    let outcome: NodeRun;
    try {
      outcome = await node.run(what, stop);
    } catch (error) {
      state.runs[number] = { ...state.runs[number], state: 'failed' };
      throw error;
    }
    const { isGood, result, output } = outcome;
    run.write(`${number + 1}.txt`, `${name}\n\n${output}\n`);
    const ended = isGood ? 'complete' : 'failed';
    state.runs[number] = { ...state.runs[number], ...countsOf(result), state: ended, result };
    events.add('run', name, ended, result === '' ? undefined : result);
    record.save();
  }
  run.writeJson('summary.json', { clock: 'real', lab: state.name, runs: state.runs });
}
