import { afterEach, beforeEach, expect, it } from 'vitest';
import { Cleanup, netVhost, vhostlabBackend, virtioUser } from '../../../../tools/peers/index.ts';
import { attach, DEFAULT_INTERVAL_MS } from '../../src/index.ts';
import { attached, queueOf, recorded, startTap, TRUSTS_KICKS, verdicts } from './support/attached.ts';

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

it.each([{ packed: false }, { packed: true }])(
  'virtio-user and net_vhost under load: no false alarm, and both go on: %o',
  async ({ packed }) => {
    const [front, connect] = [cleanup.path('front'), cleanup.path('back')];
    const back = await cleanup.add(netVhost({ socketPath: connect, mode: 'rxonly' }));
    await startTap(cleanup, front, connect);
    const driver = await cleanup.add(virtioUser({ socketPath: front, mode: 'txonly', packed }));
    const record = cleanup.path('tap');
    await back.process.waitUntil(async () => (await back.stats()).rxPackets > 0, 'frames arrive');
    await recorded(record, 2);
    const before = [(await driver.stats()).txPackets, (await back.stats()).rxPackets];
    for (const pid of [driver.pid, back.pid, driver.pid, back.pid]) {
      const report = await attach({ pid, record, intervalMs: DEFAULT_INTERVAL_MS });
      expect(report.queues.map(({ format }) => format)).toEqual(Array(2).fill(packed ? 'packed' : 'split'));
      expect(verdicts(report).filter((text) => !text.startsWith('healthy: '))).toEqual([]);
    }
    expect((await driver.stats()).txPackets).toBeGreaterThan(before[0]!);
    expect((await back.stats()).rxPackets).toBeGreaterThan(before[1]!);
  },
);

it('a driver that only sends, and a back end that answers: the driver does not refill', async () => {
  const [front, connect] = [cleanup.path('front'), cleanup.path('back')];
  await cleanup.add(netVhost({ socketPath: connect, mode: 'io' }));
  await startTap(cleanup, front, connect);
  const driver = await cleanup.add(virtioUser({ socketPath: front, mode: 'txonly' }));
  const record = cleanup.path('tap');
  await recorded(record, 2);
  await driver.process.waitUntil(async () => {
    const { verdict } = queueOf(await attach({ pid: driver.pid, record, intervalMs: 100 }), 0);
    return verdict.kind === 'driver not refilling' && verdict.culprit === 'driver';
  }, 'its receive queue has run empty');
});

it('virtio-user and our back end: a lost kick of one queue, and the other queue goes on', async () => {
  const [front, connect] = [cleanup.path('front'), cleanup.path('back')];
  const extra = ['--workers', '2'];
  await cleanup.add(
    vhostlabBackend({ socketPath: connect, port: 'drop', queues: 2, extra, preload: TRUSTS_KICKS }),
  );
  await startTap(cleanup, front, connect, ['drop kick queue=1']);
  const driver = await cleanup.add(virtioUser({ socketPath: front, mode: 'txonly', queues: 2 }));
  const record = cleanup.path('tap');
  await recorded(record, 4);
  await recorded(record, 'inject');
  const before = (await driver.stats()).txPackets;
  const { status, report } = await attached('--pid', String(driver.pid), '--record', record);
  expect(status).toBe(1);
  expect(report.sick).toBe(1);
  const stuck = queueOf(report, 1);
  expect(stuck.verdict).toMatchObject({ kind: 'lost kick', culprit: 'tap' });
  expect(stuck.verdict.text).toMatch(
    /^vq1 avail \d+ used \d+: 256 wait, the back end wants a kick for them, and none is pending: the tap's rule "drop kick queue=1" took it$/,
  );
  const moving = queueOf(report, 3);
  expect(moving.verdict.text).toMatch(/: the back end used \d+ meanwhile$/);
  expect((await driver.stats()).txPackets).toBeGreaterThan(before);
  const again = await attach({ pid: driver.pid, record, intervalMs: 100 });
  expect(queueOf(again, 1)).toMatchObject({ second: stuck.second, verdict: stuck.verdict });
});
