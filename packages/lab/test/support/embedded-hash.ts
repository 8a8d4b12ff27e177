import { logHash } from './log-hash.ts';
import { runRows } from './run.ts';

/** SHA-256 of the event log of a lab of one pvp run over vhost-user, all in one process. */
export async function embeddedHash(packets: number): Promise<string> {
  let hash = '';
  await runRows(
    { workloads: ['pvp'], backends: ['vhost-user'], packets, samples: 1000 },
    {
      use: (outcome) => {
        hash = logHash(outcome);
      },
    },
  );
  return hash;
}
