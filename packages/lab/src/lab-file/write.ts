import { Document } from 'yaml';
import type { CompareOptions } from '../scenario/options.ts';
import { PCAP_PLACE, PLACES } from './places.ts';

/** What the lab of a run is called, and the capture that it replays. */
export interface CompareLab {
  name: string;
  /** Absolute path, because the lab file may stand in another folder than the command that wrote it. */
  pcap?: string;
}

/**
 * The built-in lab of `vhostlab compare` with these options, as the text of a lab file: what `readLabFile` makes of
 * it are the same options, so that `vhostlab compare --lab FILE` repeats the run.
 */
export function builtInCompareLab(options: CompareOptions, lab: CompareLab): string {
  const document = new Document({ schema: 1, name: lab.name });
  document.commentBefore = ' The lab of this run; `vhostlab compare --lab FILE` repeats it.';
  for (const [option, place] of Object.entries(PLACES)) {
    if (option === 'seed') document.setIn(['time', 'clock'], 'virtual');
    const value = options[option as keyof CompareOptions];
    if (value !== undefined)
      document.setIn(
        place,
        document.createNode(value, { flow: option !== 'flowTable' && option !== 'events' }),
      );
    if (option === 'packets' && lab.pcap !== undefined) document.setIn(PCAP_PLACE, lab.pcap);
  }
  return document.toString({ lineWidth: 0 });
}
