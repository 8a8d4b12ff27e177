import { join } from 'node:path';
import { type Child, signalEvent, startChild } from '@vhostlab/host';
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

/** A process that maps the first of these descriptors and keeps the others, as a back end does. */
async function startMapper(fds: readonly number[]): Promise<Child> {
  const program = `import { Fd, reserveArena } from '@vhostlab/host';
    reserveArena(${ring.memoryBytes}).mapFile(0, new Fd(3, 'memory'), 0, ${ring.memoryBytes});
    console.log('mapped');
    setInterval(() => {}, 60_000);`;
  let mapped: () => void;
  const ready = new Promise<void>((resolve) => {
    mapped = resolve;
  });
  const args = ['--input-type=module', '--eval', program];
  const child = await startChild(process.execPath, args, { fds, onOutput: () => mapped() });
  await Promise.race([ready, child.exited]);
  return child;
}

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

  it('says nothing of a kick because of a process that has eventfds and not the memory', async () => {
    const child = await startChild('sleep', ['60'], { fds: [ring.kick.number] });
    ring.put(13, 11);
    const [queue] = (await look()).queues;
    child.kill('SIGKILL');
    await child.exited;
    expect(queue?.second.kickPending).toBeNull();
    expect(queue?.verdict.kind).toBe('unclear');
  });

  it('knows that no kick is pending when none is in any eventfd that processes with the memory share', async () => {
    const child = await startMapper([ring.memory.number, ring.kick.number]);
    ring.put(13, 11);
    const quiet = await look();
    signalEvent(ring.kick.number);
    const signalled = await look();
    child.kill('SIGKILL');
    await child.exited;
    expect(quiet.processes.map(({ pid }) => pid)).toContain(child.pid);
    expect(quiet.queues[0]?.verdict).toMatchObject({ kind: 'lost kick', culprit: 'driver side' });
    expect(signalled.queues[0]?.verdict).toMatchObject({ kind: 'unclear', culprit: null });
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
