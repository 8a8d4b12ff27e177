import { readdir, readFile } from 'node:fs/promises';
import { type CostProfile, parseCostProfile } from '@vhostlab/cost-profile';
import { OperatorError } from './errors.ts';

const FOLDER = new URL('../profiles/', import.meta.resolve('@vhostlab/cost-profile'));

/** Cost profiles of this installation, by file name. A broken file throws CostProfileError with its name. */
export async function installedProfiles(): Promise<CostProfile[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.yaml')).sort();
  return Promise.all(
    names.map(async (name) => parseCostProfile(await readFile(new URL(name, FOLDER), 'utf8'), name)),
  );
}

/** The profile of that name; OperatorError lists what there is. */
export async function loadProfile(name: string): Promise<CostProfile> {
  const profiles = await installedProfiles();
  const profile = profiles.find((candidate) => candidate.name === name);
  if (profile === undefined) {
    const known = profiles.map((candidate) => candidate.name).join(', ');
    throw new OperatorError(`--profile: there is no cost profile "${name}"; there are ${known}`);
  }
  return profile;
}
