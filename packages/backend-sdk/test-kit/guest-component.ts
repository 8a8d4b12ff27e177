import type { ComponentPlan, EndPlan } from '@vhostlab/engine';
import type { GuestCoreConfig } from './guest-core.ts';
import { guestLayout } from './guest-memory.ts';

/** A guest core on its own: memory, virtqueue channel and control channel of one queue pair. */
export function guestComponent(config: GuestCoreConfig): ComponentPlan {
  const { guest, pair } = config;
  const core = `guest${guest}.vcpu${pair}`;
  const end = (
    channel: string,
    kind: EndPlan['kind'],
    name: string,
    latency: EndPlan['latency'],
  ): EndPlan => ({
    channel,
    kind,
    side: 'a',
    core,
    end: name,
    latency,
  });
  return {
    cores: [
      {
        id: core,
        service: 'guest',
        module: 'test/guest',
        config,
        mode: config.interrupts ? 'wait' : 'poll',
        account: 'guest',
      },
    ],
    windows: [{ id: `guest${guest}`, owner: 'guest', bytes: guestLayout(config.format, config.size).bytes }],
    ends: [
      {
        ...end(`vq.${guest}.${pair}`, 'memory', 'vq', 'coherent'),
        window: `guest${guest}`,
        queueSizes: [config.size, config.size],
      },
      end(`vhost.${guest}.${pair}`, 'control', 'vhost', 'syscall'),
    ],
  };
}
