import { join } from 'node:path';
import { closeAll, eventFd, startChild } from '@vhostlab/host';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AttachOptions, attach } from '../src/index.ts';
import { type Answers, FakeQmp } from './kit/fake-qmp.ts';
import { LoneRing } from './kit/lone-ring.ts';

const DEVICE = '/machine/peripheral-anon/device[0]/virtio-backend';

let ring: LoneRing;
let qmp: FakeQmp | undefined;

beforeEach(() => {
  ring = new LoneRing();
});

afterEach(async () => {
  await qmp?.stop();
  qmp = undefined;
  ring.close();
});

/** What a QEMU says whose memory is this process's. */
function answers(
  change: { started?: boolean; transports?: string[]; size?: number; at?: number } = {},
): Answers {
  const { started = true, transports = ['VIRTIO_F_VERSION_1: 1.0'], size = ring.size, at } = change;
  const { desc, avail, used } = ring.addresses;
  return {
    'x-query-virtio': () => [
      { name: 'virtio-serial', path: 'other' },
      { name: 'virtio-net', path: DEVICE },
    ],
    'x-query-virtio-status': () => ({
      'vhost-started': started,
      'vhost-dev': { 'acked-features': { transports } },
    }),
    'x-query-virtio-vhost-queue-status': ({ queue }) => {
      return queue === 1
        ? { num: size, desc: at ?? desc, avail, used, kick: 0, call: 0 }
        : { num: 0, desc: 0 };
    },
  };
}

async function look(given: Answers = answers(), options: Partial<AttachOptions> = {}) {
  qmp ??= await FakeQmp.listen(join(ring.folder, 'qmp'), given);
  return attach({ pid: process.pid, qmp: qmp.path, intervalMs: 5, ...options });
}

describe('attach, to a QEMU', () => {
  it('finds the rings, and says of eventfds only what is certain', async () => {
    ring.put(13, 11);
    const { queues, sick } = await look();
    expect(sick).toBe(1);
    expect(queues).toHaveLength(1);
    expect(queues[0]).toMatchObject({
      device: DEVICE,
      queue: 1,
      format: 'split',
      hasEvents: false,
      isEnabled: null,
    });
    expect(queues[0]?.verdict).toMatchObject({ kind: 'unclear', culprit: null });
    expect(qmp?.commands).not.toContain('x-query-virtio-queue-status');
  });

  it('takes the eventfds from a tap that stands between', async () => {
    ring.put(13, 11);
    ring.record();
    const { queues } = await look(answers(), { record: ring.folder });
    expect(queues).toHaveLength(1);
    expect(queues[0]).toMatchObject({
      device: DEVICE,
      verdict: { kind: 'lost kick', culprit: 'driver side' },
    });
  });

  it('knows that no kick is pending when none is in any eventfd that two processes share', async () => {
    const shared = eventFd();
    const child = await startChild('sleep', ['60'], { fds: [shared.number] });
    ring.put(13, 11);
    // another process that has the eventfd and not the memory says nothing
    expect((await look()).queues[0]?.verdict.kind).toBe('unclear');
    child.kill('SIGKILL');
    await child.exited;
    closeAll([shared]);
  });

  it('reads the formats and features that QEMU names', async () => {
    const transports = [
      'VIRTIO_F_RING_PACKED: Device supports packed',
      'VIRTIO_RING_F_EVENT_IDX: Used & avail',
    ];
    const { queues } = await look(answers({ transports }));
    expect(queues[0]).toMatchObject({ format: 'packed', hasEvents: true });
  });

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'no socket',
      () => attach({ pid: process.pid, qmp: '/none', intervalMs: 5 }),
      '--qmp: connect /none: ENOENT; name',
    ],
    ['no process', () => look(answers(), { pid: 2 ** 22 }), '--pid 4194304: no such process, or not yours'],
    [
      'a wrong process',
      () => look(answers(), { pid: process.ppid }),
      `process ${process.pid} serves the QMP socket`,
    ],
    ['no vhost device', () => look(answers({ started: false })), 'no vhost network device whose driver runs'],
    [
      'memory that is not shared',
      () => look(answers({ at: 4096 })),
      'give QEMU memory-backend-memfd with share=on',
    ],
    ['an old QEMU', () => look({}), 'has not been found. QEMU 7.2 or newer is needed.'],
  ])('refuses %s in a sentence, status 2', async (_what, run, text) => {
    const refusal = run();
    await expect(refusal).rejects.toThrow(text);
    await expect(refusal).rejects.toMatchObject({ exitCode: 2 });
  });

  it('refuses a monitor that answers somebody else, and what is no monitor', async () => {
    qmp = await FakeQmp.listen(join(ring.folder, 'silent'), {}, '');
    await expect(look({}, { qmpTimeoutMs: 20 })).rejects.toThrow(
      'no answer within 0.02 s; QEMU serves one client per QMP socket',
    );
    await qmp.stop();
    qmp = await FakeQmp.listen(join(ring.folder, 'ftp'), {}, '220 welcome\r\n');
    await expect(look()).rejects.toThrow('what answers there does not speak QMP');
  });
});
