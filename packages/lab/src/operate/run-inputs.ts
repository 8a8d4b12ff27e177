import { readFileSync } from 'node:fs';
import type { CostProfile } from '@vhostlab/cost-profile';
import { checkScenarios } from '../compare/check.ts';
import type { Capture } from '../scenario/build.ts';
import { loadCapture } from '../scenario/capture.ts';
import { type CompareOptions, parseCompareOptions } from '../scenario/options.ts';
import type { WantedLab } from './state.ts';

/** What the runs of a lab need. */
export interface RunInputs {
  readonly options: CompareOptions;
  readonly capture: Capture | undefined;
  readonly profile: CostProfile;
}

/** Reads and checks everything that the runs need, before anything is touched. Throws what is wrong with it. */
export async function runInputs(
  wanted: WantedLab,
  loadProfile: (name: string) => Promise<CostProfile>,
): Promise<RunInputs> {
  const { pcap } = wanted.description;
  const options = parseCompareOptions(wanted.description.options);
  const capture = pcap === undefined ? undefined : loadCapture(readFileSync(pcap), pcap);
  checkScenarios(options, capture);
  return { options, capture, profile: await loadProfile(options.profile) };
}
