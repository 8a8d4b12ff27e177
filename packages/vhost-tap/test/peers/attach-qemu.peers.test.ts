import { processFacts } from '@vhostlab/host';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  Cleanup,
  type LinuxGuest,
  netVhost,
  qemuIpxe,
  qemuLinux,
  vhostlabBackend,
} from '../../../../tools/peers/index.ts';
import { type AttachReport, attach, DEFAULT_INTERVAL_MS } from '../../src/index.ts';
import { attached, queueOf, startTap, TRUSTS_KICKS, verdicts } from './support/attached.ts';

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

/** A second monitor: the first one is the test's own. */
const monitor = (path: string): string[] => ['-qmp', `unix:${path},server=on,wait=off`];

/** Frames that the guest has received and sent. */
async function counters(guest: LinuxGuest): Promise<[rx: number, tx: number]> {
  const text = await guest.must(
    'cat /sys/class/net/eth0/statistics/rx_packets /sys/class/net/eth0/statistics/tx_packets',
  );
  const [rx, tx] = text.trim().split(/\s+/).map(Number);
  return [rx!, tx!];
}

/** Sends frames that the back end gives back: broadcasts, 20 a second. */
const send = (guest: LinuxGuest, frames: number) => guest.run(`ping -c ${frames} -i 0.05 -W 1 10.0.0.255`);

it('a Linux guest and our back end: healthy, then a lost call, then a lost kick', async () => {
  const [front, back, qmp] = [cleanup.path('front'), cleanup.path('back'), cleanup.path('qmp')];
  await cleanup.add(vhostlabBackend({ socketPath: back, port: 'echo', preload: TRUSTS_KICKS }));
  // without MSI-X one interrupt serves all queues: calls of the transmit queue would wake the receive queue too
  await startTap(cleanup, front, back, [
    'drop call queue=1',
    'drop call queue=0 nth=60',
    'drop kick queue=1 nth=130',
  ]);
  const guest = await cleanup.add(
    qemuLinux({
      netdevs: [{ socketPath: front }],
      setUp: 'ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up',
      extra: monitor(qmp),
    }),
  );
  const record = cleanup.path('tap');
  const pid = String(guest.pid);

  const sending = send(guest, 30);
  for (let i = 0; i < 3; i++) {
    const report = await attach({ pid: guest.pid, qmp, intervalMs: DEFAULT_INTERVAL_MS });
    expect(verdicts(report).filter((text) => !text.startsWith('healthy: '))).toEqual([]);
  }
  await sending;
  const [received, sent] = await counters(guest);
  // Linux counts a frame as sent when it next looks at the queue
  expect(Math.min(received, sent)).toBeGreaterThanOrEqual(29);
  expect(Math.abs(received - sent)).toBeLessThanOrEqual(1);

  await send(guest, 60);
  const [stillReceived, sentOn] = await counters(guest);
  expect(stillReceived).toBeLessThan(sentOn - 1);
  const descriptors = processFacts(guest.pid)?.descriptors;
  const lostCall = await attached('--pid', pid, '--qmp', qmp, '--record', record);
  expect(lostCall.status).toBe(1);
  const receiveQueue = queueOf(lostCall.report, 0);
  expect(receiveQueue.verdict).toMatchObject({ kind: 'lost call', culprit: 'tap' });
  const { avail, used, driverEvent } = receiveQueue.second;
  expect(receiveQueue.verdict.text).toBe(
    `vq0 avail ${avail} used ${used}: the driver has not taken ${used - driverEvent} of the used, the driver waits for a call, and none is pending: the tap's rule "drop call queue=0 nth=60" took it`,
  );
  expect(queueOf(lostCall.report, 1).verdict.kind).toBe('healthy');

  await send(guest, 90);
  const [, sentThen] = await counters(guest);
  expect(sentThen).toBeGreaterThan(sentOn);
  const lostKick = await attached('--pid', pid, '--qmp', qmp, '--record', record);
  const transmitQueue = queueOf(lostKick.report, 1);
  expect(transmitQueue.verdict).toMatchObject({ kind: 'lost kick', culprit: 'tap' });
  expect(transmitQueue.verdict.text).toMatch(
    /^vq1 avail \d+ used \d+: \d+ wait, .* the tap's rule "drop kick queue=1 nth=130" took it$/,
  );
  expect(queueOf(lostKick.report, 0).verdict).toMatchObject({ kind: 'lost call', culprit: 'tap' });

  // without the tap's record: nothing is pending anywhere, so it is lost, and the tap is not suspected
  const { report } = await attached('--pid', pid, '--qmp', qmp);
  expect(queueOf(report, 1).verdict).toMatchObject({ kind: 'lost kick', culprit: 'driver side' });
  // the guest may offer more by itself, neighbour solicitations for one
  expect(queueOf(report, 1).second.used).toBe(transmitQueue.second.used);
  expect(report.processes.map(({ pid: holder }) => holder)).toContain(guest.pid);

  // the guest does not know that anybody has looked, and goes on offering; what waits is not counted as sent yet
  expect(processFacts(guest.pid)?.descriptors).toBe(descriptors);
  await send(guest, 3);
  const then = await attach({ pid: guest.pid, qmp, intervalMs: 100 });
  expect(queueOf(then, 1).second.used).toBe(transmitQueue.second.used);
  expect(queueOf(then, 1).second.avail).toBeGreaterThanOrEqual(transmitQueue.second.avail + 3);
  expect((await counters(guest))[1]).toBe(sentThen);
});

/** Looks; while the machine boots again there is no driver, and so nothing to look at. */
async function lookAgain(pid: number, qmp: string): Promise<AttachReport> {
  for (;;) {
    try {
      return await attach({ pid, qmp, intervalMs: DEFAULT_INTERVAL_MS });
    } catch (error) {
      if (!(error as Error).message.includes('no vhost network device whose driver runs')) throw error;
    }
  }
}

it('iPXE and net_vhost, nobody in between: healthy, several times in a row', async () => {
  const [socketPath, qmp] = [cleanup.path('s'), cleanup.path('qmp')];
  const back = await cleanup.add(netVhost({ socketPath, mode: 'rxonly' }));
  const qemu = await cleanup.add(qemuIpxe({ socketPath, extra: monitor(qmp) }));
  const pid = qemu.pid;
  await back.process.waitUntil(async () => (await back.stats()).rxPackets >= 1, 'iPXE has sent');
  for (let i = 0; i < 5; i++) {
    const report = await lookAgain(pid, qmp);
    expect(report.queues.map(({ queue }) => queue)).toEqual([0, 1]);
    expect(verdicts(report).filter((text) => !text.startsWith('healthy: '))).toEqual([]);
  }
  const before = (await back.stats()).rxPackets;
  await back.process.waitUntil(async () => (await back.stats()).rxPackets > before, 'iPXE goes on sending');

  await expect(lookAgain(back.pid, qmp)).rejects.toThrow(
    new RegExp(
      `--pid ${back.pid} does not share the memory of the ring at 0x[0-9a-f]+; process ${pid} serves`,
    ),
  );
  await expect(attach({ pid, qmp: qemu.qmpPath, intervalMs: 100, qmpTimeoutMs: 200 })).rejects.toThrow(
    'QEMU serves one client per QMP socket',
  );
});
