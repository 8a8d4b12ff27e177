import { drainEvent, eventFd, reserveArena, signalEvent, type ThreadInbox } from '@vhostlab/host';
import { expect, it } from 'vitest';
import { SharedStatistics } from '../src/stats/shared-statistics.ts';
import { Worker } from '../src/worker/worker.ts';

const OWN_BYTES = 2 ** 22;

it('a signal whose command was served before does not keep a worker awake', () => {
  const mapped = reserveArena(OWN_BYTES);
  mapped.mapAnonymous(0, OWN_BYTES);
  const wake = eventFd();
  let turns = 0;
  const inbox: ThreadInbox = {
    data: undefined,
    wakeNumber: wake.number,
    note: () => undefined,
    serve: (handle) => {
      turns++;
      if (turns === 1) signalEvent(wake.number);
      else handle('end');
    },
  };
  const { address, sizeBytes } = mapped;
  new Worker(
    {
      worker: 0,
      workers: 1,
      mode: 'interrupt',
      cpus: [],
      arena: { address, sizeBytes },
      ownOffset: 0,
      ownBytes: OWN_BYTES,
      statistics: new SharedStatistics(1, 2).buffer,
      devices: 1,
      queuePairs: 1,
      port: { kind: 'drop' },
      frameBytes: 2048,
      spinNs: 0,
    },
    inbox,
  ).run();
  expect(turns).toBe(2);
  expect(drainEvent(wake.number)).toBe(false);
  wake.close();
  mapped.release();
});
