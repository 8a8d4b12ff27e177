import type { hello } from '@vhostlab/contracts';
import type { Lab } from '../run/run-scenario.ts';
import { UsageError } from '../scenario/options.ts';
import { isRole } from '../services/parts.ts';
import type { Placed } from './placed.ts';

const TIMEOUT_MS = 10_000;

/**
 * Makes services that others run ready for runs: one that takes part in a run of another lab is refused, and what a lab
 * that is gone has left in it is forgotten. `runs`: names of this lab's runs, whose instances it will make.
 */
export async function takeEndpoints(
  placed: readonly Placed[],
  lab: Lab,
  greeting: ReturnType<typeof hello>,
  runs: readonly string[],
): Promise<void> {
  const options = { timeoutMs: TIMEOUT_MS };
  await Promise.all(
    placed.map(async ({ roles, placement, address }) => {
      if (placement.how !== 'endpoint') return;
      const own = lab.processes.find((process) => process.address === address);
      const answer = await own?.runtime.handshake({ hello: greeting }, options);
      if (answer !== undefined && answer.runId !== '') {
        throw new UsageError(
          `service ${roles.join(', ')} at ${address} takes part in run ${answer.runId} of another lab; wait for its end, or run a service of your own at another address`,
        );
      }
      for (const role of roles.filter(isRole)) {
        for (const run of runs) {
          const id = run.replaceAll(/[^a-z0-9]+/g, '-');
          await lab.services[role].destroy(id, options).catch(() => undefined);
        }
      }
    }),
  );
}
