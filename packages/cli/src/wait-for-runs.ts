import type { LabFolder, LabState } from '@vhostlab/lab';
import type { Io } from './io.ts';

const POLL_MS = 60;

/** Resolves with its state when the lab has run everything, with progress meanwhile; throws what ended it before. */
export async function waitForRuns(io: Io, folder: LabFolder): Promise<LabState> {
  const lab = await import('@vhostlab/lab');
  const progress = io.progress();
  const signal = io.interruptible();
  for (;;) {
    const { state } = lab.stateOf(folder);
    if (state.phase === 'complete') {
      progress.done();
      return state;
    }
    if (state.phase === 'failed' || state.phase === 'ended') {
      progress.done();
      throw new lab.ServiceLostError(state.error ?? `lab ${state.name} was ended`);
    }
    const run = state.runs.find((candidate) => candidate.state === 'running');
    // how far a program of the real clock has come is not known
    const far = run?.packets === 0 ? '' : `: ${run?.delivered} of ${run?.packets}`;
    if (run !== undefined) progress.update(`${run.name}${far}`);
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
