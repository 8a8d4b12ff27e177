import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PeerProcess, Testpmd } from '../../../tools/peers/index.ts';
import { checksOf, type Expectation, runConformance, selectChecks } from '../src/index.ts';
import { ProcessControl } from './support/process-control.ts';
import { failuresOf } from './support/run-mutant.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'conformance-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface FrontEnd {
  readonly start: (socketPath: string) => Promise<PeerProcess>;
  readonly restart: 'each' | 'ended';
  readonly only: readonly string[];
  readonly known: readonly Expectation[];
}

/** QEMU, whose ROM drives the device, and which connects again by itself every second. */
const QEMU: FrontEnd = {
  start: (socketPath) =>
    PeerProcess.start({
      name: 'qemu-ipxe',
      program: 'qemu-system-x86_64',
      args: [
        ...['-machine', 'q35,accel=tcg', '-m', '64', '-nodefaults', '-display', 'none'],
        ...['-object', 'memory-backend-memfd,id=m,size=64M,share=on', '-numa', 'node,memdev=m'],
        ...['-chardev', `socket,id=c,path=${socketPath},reconnect=1`, '-netdev', 'vhost-user,id=n,chardev=c'],
        ...['-device', 'virtio-net-pci,netdev=n,vectors=0', '-boot', 'order=n,reboot-timeout=100'],
      ],
    }),
  restart: 'ended',
  only: [
    'fe.reply.size-long.GET_FEATURES',
    'fe.reply.size-long.SET_MEM_TABLE',
    'fe.reply.refused.*',
    'fe.reply.descriptors',
    'fe.channel.unknown',
    'fe.channel.size-2^32-1',
    'fe.split.used-id-size',
    'fe.split.used-idx-jump',
  ],
  known: [
    {
      pattern: 'fe.reply.descriptors',
      verdicts: ['failed'],
      reason: 'QEMU 7.2 keeps what it did not ask for',
    },
  ],
};

/** DPDK's virtio-user, which connects once. */
const VIRTIO_USER: FrontEnd = {
  start: async (socketPath) => {
    const device = `net_virtio_user0,path=${socketPath},mac=52:54:00:00:00:01,queues=1`;
    return (await Testpmd.start('virtio-user', [device], socketPath, { mode: 'txonly' })).process;
  },
  restart: 'each',
  only: [
    'fe.reply.size-long.GET_FEATURES',
    'fe.reply.size-long.SET_MEM_TABLE',
    'fe.reply.refused.*',
    'fe.reply.descriptors',
    'fe.split.used-id-size',
    'fe.split.used-tx-id-*',
    'fe.split.used-idx-jump',
  ],
  known: [],
};

it.each([
  ['QEMU', QEMU],
  ["DPDK's virtio-user", VIRTIO_USER],
])('%s does as it is known to', async (_name, { start, restart, only, known }) => {
  const socketPath = join(folder, 's');
  const checks = selectChecks(checksOf('front end'), only);
  if (typeof checks === 'string') throw new Error(checks);
  const report = await runConformance(checks, {
    role: 'front end',
    socketPath,
    control: new ProcessControl(() => start(socketPath)),
    restart,
    expectations: known,
    limits: { replyMs: 2000, recoverMs: 30_000 },
  });
  expect(failuresOf(report)).toEqual([]);
  expect(report.results).toHaveLength(checks.length);
  expect(report.peer).toMatchObject({ role: 'front end', transmits: true });
  expect(report.counts['not-claimed']).toBe(0);
});
