import { openDescriptors } from '@vhostlab/host';
import { describe, expect, it } from 'vitest';
import { type FrontendOptions, startFrontend } from '../src/index.ts';

const start = (options: Partial<FrontendOptions>) =>
  startFrontend({ memoryBytes: 2 ** 22, queueSize: 16, workload: { kind: 'raw' }, ...options });

describe('a front end at vhost-net', () => {
  it.each([
    [{}, 'needs a socket (--socket-path) or a tap interface (--vhost-net)'],
    [{ socketPath: '/tmp/s', vhostNet: 'tap0' }, 'give one of them'],
    [{ vhostNet: 'tap0', server: true }, 'are of sockets'],
    [{ vhostNet: 'tap0', inflight: true }, 'are of sockets'],
    [{ vhostNet: 'tap0', ring: 'packed' }, 'vhost-net knows split rings only'],
    [{ vhostNet: 'a-name-of-16-byte' }, 'is no interface name'],
  ] as const)('refuses %j', async (options, text) => {
    await expect(start(options)).rejects.toThrow(text);
  });

  it('says what is missing, device or tap, and leaves nothing open', async () => {
    // no interface can have this name: where the device is there, the tap is what fails
    const attempt = () => start({ vhostNet: 'a/b' });
    await attempt().catch(() => undefined);
    const before = openDescriptors();
    await expect(attempt()).rejects.toThrow(
      /^cannot use (\/dev\/vhost-net: open \/dev\/vhost-net: E[A-Z]+; (load|run)|the tap interface a\/b: )/,
    );
    expect(openDescriptors()).toBe(before);
  });
});
