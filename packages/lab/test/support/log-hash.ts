import { createHash } from 'node:crypto';
import { mergeLog } from '@vhostlab/trace';
import type { ScenarioOutcome } from '../../src/index.ts';

/** SHA-256 of the event log of one scenario, as the run folder would have it. */
export function logHash({ name, parts }: ScenarioOutcome): string {
  const hash = createHash('sha256');
  mergeLog([{ name, parts }], (bytes) => hash.update(bytes));
  return hash.digest('hex');
}
