import { Document } from 'yaml';
import { type ComposeOptions, composeOf } from './compose.ts';
import { COLLECTOR_FILE, collectorConfig, OBSERVABILITY_ENV, observabilityEnv } from './observability.ts';

/** The files of an exported lab beside its secrets and its lab file, by name. */
export function composeFilesOf(
  roles: Parameters<typeof composeOf>[0],
  options: Omit<ComposeOptions, 'withLab'>,
): Map<string, string> {
  return new Map([
    ['docker-compose.yml', composeOf(roles, { ...options, withLab: true })],
    [COLLECTOR_FILE, new Document(collectorConfig()).toString({ lineWidth: 0 })],
    [OBSERVABILITY_ENV, observabilityEnv()],
  ]);
}
