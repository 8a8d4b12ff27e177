import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { frontMessageNamed, protocolMask } from '../src/index.ts';
import { FakeDevice } from '../test-kit/index.ts';
import { Channel, Rig } from './back-end-rig.ts';
import { parseTranscript, payloadOf } from './transcripts.ts';

/** What the recording back ends offered: everything that the front end acknowledged. */
function deviceFor(features: bigint, protocolFeatures: bigint, queuePairs: number): FakeDevice {
  return new FakeDevice({ features, protocolFeatures, queuePairs });
}

const QEMU_PROTOCOL = protocolMask(
  'MQ',
  'LOG_SHMFD',
  'RARP',
  'REPLY_ACK',
  'MTU',
  'BACKEND_REQ',
  'BACKEND_SEND_FD',
  'CONFIGURE_MEM_SLOTS',
  'STATUS',
);

/** Plays a transcript; answers are awaited as the real front end awaits them. Large regions get sparse files. */
async function play(rig: Rig, file: string): Promise<void> {
  rig.channels.push(new Channel());
  for (const line of parseTranscript(readFileSync(new URL(`./golden/${file}`, import.meta.url), 'utf8'))) {
    const row = frontMessageNamed(line.name);
    const bytes = line.name === 'SET_LOG_BASE' ? 0x2000 : 0x10000000;
    const wantsFile = ['SET_MEM_TABLE', 'ADD_MEM_REG', 'SET_LOG_BASE'].includes(line.name);
    const fds = Array.from({ length: line.fds }, () => (wantsFile ? rig.file(bytes) : rig.event()));
    const needReply = (line.flags & 8) !== 0;
    rig.post(line.name, payloadOf(line), fds, needReply);
    const answers = needReply || (row.reply !== null && row.replyWhen !== 'postcopy');
    if (!answers) continue;
    const answer = await rig.answer();
    if (needReply && row.reply === null) expect(answer.payload).toEqual({ kind: 'u64', value: 0n });
  }
  await rig.sync();
}

test('DPDK 22.11 virtio-user, split rings: both rings run, enabled, after DRIVER_OK', async () => {
  const rig = new Rig({ device: deviceFor(0x1_1000_8000n, 0x10009n, 1) });
  await play(rig, 'golden_dpdk2211_virtio_user_split.txt');
  expect(rig.refusals).toEqual([]);
  expect([...rig.device.running.keys()]).toEqual([0, 1]);
  const ring = rig.device.running.get(0)!;
  expect(ring.setup).toMatchObject({ size: 256, format: 'split', base: { format: 'split', lastAvail: 0 } });
  expect(ring.enabled).toBe(true);
  expect(ring.call).not.toBeNull();
  const start = rig.device.regions[0].mapping.arenaOffset;
  expect(ring.areas).toEqual({
    descriptor: start + 0x10815b000 - 0x1001b7000,
    driver: start + 0x10815c000 - 0x1001b7000,
    device: start + 0x10815d000 - 0x1001b7000,
  });
  // the driver was ready last of all
  expect(rig.device.calls.slice(-3)).toEqual(['status 15', 'start 0', 'start 1']);
  expect(await rig.end()).toMatchObject({ why: 'peer' });
});

test('DPDK 22.11 virtio-user, packed rings: base 0x8000 begins at slot 0 with both wrap counters 1', async () => {
  const rig = new Rig({ device: deviceFor(0xd_1040_8000n, 0x10009n, 2) });
  await play(rig, 'golden_dpdk2211_virtio_user_packed.txt');
  expect(rig.refusals).toEqual([]);
  expect([...rig.device.running.keys()]).toEqual([0, 1, 2, 3]);
  expect([...rig.device.running.values()].map((ring) => ring.enabled)).toEqual([true, true, false, false]);
  expect(rig.device.running.get(3)!.setup).toMatchObject({
    format: 'packed',
    base: { avail: 0, availWrap: true, used: 0, usedWrap: true },
  });
  await rig.end();
});

test('QEMU 7.2 boot, ring query, migration: logging goes on while rings run, bases survive SET_STATUS 0', async () => {
  const rig = new Rig({ device: deviceFor(0x1_0000_0000n, QEMU_PROTOCOL, 1) });
  rig.device.stoppedBase = { format: 'split', lastAvail: 41 };
  await play(rig, 'golden_qemu72_boot_query_migrate.txt');
  expect(rig.refusals).toEqual([]);
  const { calls } = rig.device;
  expect(calls).toContain('log 8192 off');
  expect(calls).toContain('log 8192 on');
  expect(calls.indexOf('log 8192 on')).toBeGreaterThan(calls.indexOf('log 8192 off'));
  // the query at 11.6 s stopped ring 1; the end of migration stops ring 0, before the status is told
  expect(calls.filter((call) => /^(start|stop|status)/.test(call))).toEqual([
    'status 8',
    'status 15',
    'start 0',
    'start 1',
    'stop 1',
    'stop 0',
    'status 0',
  ]);
  rig.post('GET_VRING_BASE', { kind: 'state', index: 0, num: 0 });
  expect((await rig.answer()).payload).toEqual({ kind: 'state', index: 0, num: 41 });
  await rig.end();
  expect(rig.mapper.mapped.size).toBe(0);
});

test('QEMU 7.2 after a restart of the back end: ring 1 goes on at 8', async () => {
  const rig = new Rig({ device: deviceFor(0x1_0000_0000n, QEMU_PROTOCOL, 1) });
  await play(rig, 'golden_qemu72_reconnect.txt');
  expect(rig.refusals).toEqual([]);
  expect(rig.device.running.get(1)!.setup.base).toEqual({ format: 'split', lastAvail: 8 });
  await rig.end();
});
