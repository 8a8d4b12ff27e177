import {
  type BackendName,
  MIGRATION_DEFAULTS,
  type MigrateEvent,
  type WorkloadName,
} from '@vhostlab/workload';
import type { CompareOptionsInput, OpenLab, Result } from '../../src/index.ts';
import { logHash } from './log-hash.ts';
import { runRows } from './run.ts';
import { splitHash } from './split.ts';

/** Every service in a process of its own. */
const GROUPS = [['guest'], ['backend'], ['switch'], ['nic']];
/** What a shadow virtqueue needs. */
const VDPA: CompareOptionsInput = { without: ['IN_ORDER', 'INDIRECT_DESC'] };

/** Runs 2000 frames, embedded (and apart), or on a lab that is open, with a migration in the midst of them, or without. */
export async function migrate(
  backend: BackendName,
  workload: WorkloadName,
  event: Partial<MigrateEvent> | null = {},
  input: CompareOptionsInput = {},
  how: 'both' | 'together' | OpenLab = 'both',
): Promise<{ result: Result; hash: string; apart: string }> {
  const seen: { result: Result; hash: string; apart: string }[] = [];
  const own = backend === 'vdpa' ? VDPA : {};
  await runRows(
    { workloads: [workload], backends: [backend], packets: 2000, rate: '500kpps', ...own, ...input },
    {
      ...(typeof how === 'string' ? {} : { lab: how }),
      change: (config) => ({
        ...config,
        ...(event === null
          ? {}
          : {
              events: [
                {
                  kind: 'migrate',
                  atPs: 100_000_000,
                  guest: 0,
                  to: 'east',
                  ...MIGRATION_DEFAULTS,
                  linkBps: 100e9,
                  maxDowntimePs: 150_000_000,
                  ...event,
                },
              ],
            }),
      }),
      use: (outcome, result) => {
        const hash = logHash(outcome);
        seen.push({
          result,
          hash,
          apart: how === 'both' ? splitHash(outcome.name, outcome.plan, GROUPS) : '',
        });
      },
    },
  );
  return seen[0];
}
