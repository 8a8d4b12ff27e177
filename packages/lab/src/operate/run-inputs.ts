import { readFileSync } from 'node:fs';
import type { CostProfile } from '@vhostlab/cost-profile';
import { checkScenarios } from '../compare/check.ts';
import type { Capture } from '../scenario/build.ts';
import { loadCapture } from '../scenario/capture.ts';
import { type CompareOptions, parseCompareOptions } from '../scenario/options.ts';
import type { OpenPlugins, PluginOpener } from '../scenario/rows.ts';
import { pluginPlaces } from '../scenario/rows.ts';
import type { WantedLab } from './state.ts';

/** What the runs of a lab need. */
export interface RunInputs {
  readonly options: CompareOptions;
  readonly capture: Capture | undefined;
  readonly profile: CostProfile;
  readonly opened: OpenPlugins;
}

/** Reads and checks everything that the runs need, before anything is touched. Throws what is wrong with it. */
export async function runInputs(
  wanted: WantedLab,
  loadProfile: (name: string) => Promise<CostProfile>,
  openPlugins: PluginOpener | undefined,
): Promise<RunInputs> {
  const { pcap } = wanted.description;
  const options = parseCompareOptions(wanted.description.options);
  const capture = pcap === undefined ? undefined : loadCapture(readFileSync(pcap), pcap);
  const profile = await loadProfile(options.profile);
  const places = pluginPlaces(options.backends);
  if (places.length > 0 && openPlugins === undefined) throw new Error('this lab opens no plugins');
  const opened = (await openPlugins?.(places)) ?? { plugins: new Map(), close: async () => undefined };
  try {
    checkScenarios(options, capture, opened.plugins);
  } catch (error) {
    await opened.close();
    throw error;
  }
  return { options, capture, profile, opened };
}
