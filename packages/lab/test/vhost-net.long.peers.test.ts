import { describe, expect, it } from 'vitest';
import { Cleanup, nodeGuest, qemuLinux } from '../../../tools/peers/index.ts';

const GUEST = 'packages/lab/test/vhost-net-guest.ts';
const TIMEOUT_MS = 200_000;

describe("the kernel's vhost-net, in a machine that has it", () => {
  it('moves frames between our rings and a tap, byte by byte, both ways, and is measured', async () => {
    const cleanup = new Cleanup();
    try {
      const { files, setUp } = nodeGuest({
        packages: [
          ...['host', 'layout', 'memory', 'packet', 'vhost-driver', 'vhost-user'],
          ...['virtio-net', 'virtqueue', 'workload'],
        ],
        npm: [
          'koffi',
          '@koromix/koffi-linux-x64',
          'hdr-histogram-js',
          'pako',
          '@assemblyscript/loader',
          'base64-js',
        ],
        files: [
          ...[GUEST, 'package.json', 'packages/lab/package.json'],
          ...['measure-kernel', 'tap-sender', 'fidelity', 'round'].map(
            (name) => `packages/lab/src/real/${name}.ts`,
          ),
        ],
        modules: [
          'drivers/net/tun.ko',
          'drivers/net/tap.ko',
          'drivers/vhost/vhost_iotlb.ko',
          'drivers/vhost/vhost.ko',
          'drivers/vhost/vhost_net.ko',
        ],
      });
      const guest = await cleanup.add(
        qemuLinux({
          netdevs: [],
          memoryMiB: 1024,
          files,
          setUp: `${setUp}\necho 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6`,
          extra: ['-cpu', 'max', '-smp', '2'],
        }),
      );
      const output = await guest.must(`cd /lab && node ${GUEST}`, TIMEOUT_MS);

      const line = /^RESULT (.*)$/m.exec(output);
      expect(line, output).not.toBeNull();
      const { transmitted, received, checked, rounds, left } = JSON.parse(line![1]!);
      expect(transmitted).toMatchObject({ same: 200, got: 200, undelivered: 0, stoppedAt: [0, 200] });
      expect(transmitted.features).toContain('VERSION_1');
      expect(received).toMatchObject({ same: 200, got: 200, why: 'done' });
      expect(received.kicks).toBeGreaterThan(0);
      expect(received.interrupts).toBeGreaterThan(0);
      expect(checked.verified).toMatchObject({
        received: 400,
        lost: 0,
        corrupted: 0,
        duplicated: 0,
        foreign: 0,
      });
      expect(checked.sent.every((packets: number) => packets > 0)).toBe(true);
      for (const { mpps, backendCores } of rounds) {
        expect(mpps).toBeGreaterThan(0);
        expect(backendCores).toBeGreaterThan(0);
      }
      expect(rounds).toHaveLength(2);
      expect(left).toBe(0);
    } finally {
      await cleanup.stop();
    }
  });
});
