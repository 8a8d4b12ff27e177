import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LabFolder, LabState, WantedLab } from '@vhostlab/lab';
import type { Command } from 'commander';
import { OperatorError } from './errors.ts';

/** What commands on labs have in common. */
export interface LabFlags {
  labs: string;
  var?: Record<string, string>;
}

/** Adds `--labs`. */
export function addLabsOption(command: Command): Command {
  return command.option('--labs <dir>', 'folder of the labs', join('vhostlab-runs', 'labs'));
}

/** Adds `--var`, which may be repeated. */
export function addVarOption(command: Command): Command {
  return command.option(
    '--var <name=value>',
    'value of a variable of the lab file; repeat for more',
    (text: string, before: Record<string, string> = {}) => {
      const at = text.indexOf('=');
      if (at < 1) throw new OperatorError(`--var: "${text}" is not name=value`);
      return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
    },
  );
}

/** Reads and checks a lab file; every rule that can be known before anything starts. */
export async function readWanted(path: string, flags: LabFlags): Promise<WantedLab> {
  const lab = await import('@vhostlab/lab');
  const file = resolve(path);
  const vars = flags.var ?? {};
  const description = lab.loadLabFile(file, vars);
  if (description.real !== undefined) return { file, text: readFileSync(file, 'utf8'), vars, description };
  const options = lab.parseCompareOptions(description.options);
  const { pcap } = description;
  const capture = pcap === undefined ? undefined : lab.loadCapture(readCapture(pcap), pcap);
  lab.checkScenarios(options, capture);
  await (await import('./profiles.ts')).loadProfile(options.profile);
  return { file, text: readFileSync(file, 'utf8'), vars, description };
}

/** The folder of a lab that is named, or made of a lab file. */
export async function folderOf(name: string, flags: LabFlags): Promise<LabFolder> {
  const lab = await import('@vhostlab/lab');
  const isFile = /\.ya?ml$/.test(name);
  return new lab.LabFolder(flags.labs, isFile ? lab.loadLabFile(name, flags.var ?? {}).name : name);
}

/** The state of a lab that must be up. */
export async function livingLab(name: string, flags: LabFlags): Promise<LabState> {
  const lab = await import('@vhostlab/lab');
  const folder = await folderOf(name, flags);
  const { state, isUp } = lab.stateOf(folder);
  if (!isUp) {
    const why = state.error === undefined ? '' : ` (${state.error})`;
    throw new OperatorError(`lab ${state.name} is not up${why}; bring it up with vhostlab lab up`);
  }
  return state;
}

function readCapture(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new OperatorError(
      `system.traffic.pcap: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
}
