import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LabFolder, LabState, WantedLab } from '@vhostlab/lab';
import type { Command } from 'commander';
import { OperatorError } from '../errors.ts';
import { EXIT_RUN_FAILED } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { addLabsOption, addVarOption, type LabFlags, readWanted } from '../lab-options.ts';
import { renderLab } from '../lab-table.ts';
import { supervise } from '../supervise.ts';
import { waitForRuns } from '../wait-for-runs.ts';

const BIN = fileURLToPath(new URL('../../bin/vhostlab.mjs', import.meta.url));
const POLL_MS = 15;

export const examples = [
  [
    'vhostlab lab up examples/pvp.lab.yaml --var packets=2000',
    'bring a lab up, or to what its file says now',
  ],
] as const;

interface UpFlags extends LabFlags {
  dryRun?: boolean;
  wait?: boolean;
  foreground?: boolean;
  security?: string;
}

/** Adds `vhostlab lab up`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('up')
    .description('bring a lab up, or a lab that is up to what its file says now; ends when it is ready')
    .argument('<file>', 'lab file')
    .option('--dry-run', 'print what would be done and do nothing')
    .option('--wait', 'end when everything has been run, and print what came of it')
    .option(
      '--foreground',
      'stay, and be the lab: end it with SIGINT or SIGTERM; with --wait it ends after its runs',
    )
    .option(
      '--security <dir>',
      'token and certificates of vhostlab lab certs, for services at TCP addresses',
    );
  addLabsOption(addVarOption(command)).action((file: string, flags: UpFlags) => up(io, file, flags));
}

async function up(io: Io, file: string, flags: UpFlags): Promise<void> {
  const [lab, wanted] = await Promise.all([import('@vhostlab/lab'), readWanted(file, flags)]);
  const folder = new lab.LabFolder(flags.labs, wanted.description.name);
  const present = folder.owner() === undefined ? undefined : folder.readState();
  // what a lab that is up still needs is asked by its own process
  const admission = present === undefined ? await lab.admit(wanted.description) : undefined;
  if (flags.dryRun === true) {
    const actions =
      present === undefined ? await fromNothing(wanted) : await lab.applyTo(present, wanted, true);
    const lines = [...actions, ...(admission === undefined ? [] : lab.admissionLines(admission))];
    io.out(lines.length === 0 ? 'nothing to do\n' : `${lines.join('\n')}\n`);
    if (admission !== undefined) lab.demandAdmission(admission);
    return;
  }
  if (admission !== undefined) {
    for (const warning of admission.warnings) io.err(`vhostlab: warning: ${warning}\n`);
    lab.demandAdmission(admission);
  }
  if (present !== undefined) {
    const actions = await lab.applyTo(present, wanted, false);
    io.out(actions.length === 0 ? `lab ${folder.name} is up, nothing to do\n` : `${actions.join('\n')}\n`);
  } else if (flags.foreground === true) {
    await supervise(io, wanted, flags.labs, flags.security, {
      isOneRun: flags.wait === true,
      onReady: () =>
        io.out(`lab ${folder.name} is up, ready after ${folder.readState()?.ready_after_ms} ms\n`),
    });
    if (flags.wait === true) showRuns(io, lab.stateOf(folder).state);
    return;
  } else {
    const state = await startSupervisor(folder, wanted, flags.security);
    io.out(`lab ${folder.name} is up, ready after ${state.ready_after_ms} ms\n`);
  }
  if (flags.wait === true) showRuns(io, await waitForRuns(io, folder));
}

/** The lines of bringing up a lab of which there is nothing yet. */
async function fromNothing(wanted: WantedLab): Promise<string[]> {
  const lab = await import('@vhostlab/lab');
  const { real } = wanted.description;
  if (real !== undefined) {
    return lab.describePlan(lab.planReal({ nodes: [], links: [] }, real), real, lab.realAsks(real));
  }
  const nothing = { services: new Map(), runKey: undefined, isRunning: false };
  return lab.describeActions(lab.planActions(nothing, wanted), wanted);
}

/** Prints a lab that has run everything. Throws when a run did not go well, with the status of a run that failed. */
function showRuns(io: Io, state: LabState): void {
  io.out(renderLab(state));
  const failed = state.runs.filter((run) => run.state === 'failed');
  if (failed.length === 0) return;
  const [{ name, result = '' }] = failed;
  throw Object.assign(new Error(`lab ${state.name}: ${name} failed: ${result}`), {
    exitCode: EXIT_RUN_FAILED,
  });
}

/** Starts the lab's own process and resolves when the lab is ready. Throws what kept it from that. */
async function startSupervisor(
  folder: LabFolder,
  wanted: WantedLab,
  security: string | undefined,
): Promise<LabState> {
  folder.make();
  const wantedFile = `wanted-${process.pid}.json`;
  folder.replace(wantedFile, JSON.stringify(wanted));
  const logFile = folder.file('lab.log');
  const log = openSync(logFile, 'a', 0o600);
  const from = statSync(logFile).size;
  const child = spawn(
    process.execPath,
    [
      BIN,
      'lab',
      'supervise',
      folder.path,
      wantedFile,
      ...(security === undefined ? [] : ['--security', security]),
    ],
    { stdio: ['ignore', log, log], detached: true },
  );
  closeSync(log);
  let status: number | undefined;
  child.on('exit', (code) => {
    status = code ?? 1;
  });
  child.on('error', () => {
    status = 1;
  });
  for (;;) {
    const state = folder.readState();
    if (state !== undefined && state.supervisor === child.pid && state.ready) {
      child.unref();
      return state;
    }
    if (status !== undefined) {
      const said = readFileSync(logFile).subarray(from).toString().trim().split('\n').at(-1) ?? '';
      const message = said.replace(/^vhostlab: /, '') || `the lab's process ended with status ${status}`;
      throw Object.assign(new OperatorError(message), { exitCode: status === 0 ? 1 : status });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
