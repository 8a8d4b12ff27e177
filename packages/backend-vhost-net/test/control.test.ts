import type { VhostRequestInit } from '@vhostlab/backend-sdk';
import { askVhost } from '@vhostlab/backend-sdk';
import { guestComponent, runComponents, testProfile } from '@vhostlab/backend-sdk/test-kit';
import { switchCoreModule } from '@vhostlab/datapath/test-kit';
import type { ComponentPlan, CoreContext, CoreModule } from '@vhostlab/engine';
import { describe, expect, it } from 'vitest';
import { vhostNetPlugin } from '../src/index.ts';
import { FEATURES, guestConfig, scenario } from './rig.ts';

interface Answer {
  error: number;
  reason: string;
}

/** A VMM for tests: sends its requests one after the other and keeps the answers. */
const vmmModule: CoreModule = {
  create(context: CoreContext, config: { requests: VhostRequestInit[] }): void {
    const answers: Answer[] = [];
    context.onCollect('answers', () => answers);
    context.spawn(
      'test.vmm',
      (function* () {
        for (const request of config.requests) {
          const { error, reason } = yield* askVhost(context.control('vhost'), request);
          answers.push({ error, reason });
        }
      })(),
    );
  },
};

/** Answers of a worker of a bridge without a wire to requests of the VMM of its guest. */
function ask(...requests: VhostRequestInit[]): Answer[] {
  const guest: ComponentPlan = guestComponent(guestConfig(0, { features: FEATURES }));
  guest.cores[0].module = 'test/vmm';
  guest.cores[0].config = { requests };
  const handler: ComponentPlan = {
    cores: [
      {
        id: 'switch.handler',
        service: 'switch',
        module: 'test/switch',
        config: { ends: ['upcall.host.vhost0.0'], outputs: [] },
        mode: 'wait',
        account: 'host',
      },
    ],
    windows: [],
    ends: [
      {
        channel: 'upcall.host.vhost0.0',
        kind: 'control',
        side: 'b',
        core: 'switch.handler',
        end: 'upcall.host.vhost0.0',
        latency: 'netlink',
      },
    ],
  };
  const modules = new Map<string, CoreModule>([
    ...vhostNetPlugin.modules,
    ['test/vmm', vmmModule],
    ['test/switch', switchCoreModule],
  ]);
  const constants = {
    'tap.queueLength': 1000,
    'vhost.txBatch': 64,
    'vhost.rxBatch': 64,
    'nic.txCompletionNs': 5000,
  };
  const outcome = runComponents(
    [guest, vhostNetPlugin.plan(scenario({ workload: 'v2v' })), handler],
    modules,
    {
      profile: testProfile(constants),
    },
  );
  return outcome.core('guest0.vcpu0').results.answers as Answer[];
}

const REGION = {
  guestPhysAddr: 0n,
  sizeBytes: 65_536n,
  userAddr: 0x7f00_0000_0000n,
  window: 'guest0',
  windowOffset: 0n,
  pageBytes: 4096n,
};
const TABLE: VhostRequestInit = { case: 'setMemTable', value: { regions: [REGION] } };
const RING = {
  index: 0,
  num: 64,
  descriptorAddr: 0x7f00_0000_1000n,
  driverAddr: 0x7f00_0000_2000n,
  deviceAddr: 0x7f00_0000_3000n,
  kick: true,
  call: true,
  enable: true,
};

describe('requests of a VMM to a vhost-net worker', () => {
  it('are carried out', () => {
    expect(ask({ case: 'setOwner', value: {} }, TABLE, { case: 'setVring', value: RING })).toEqual([
      { error: 0, reason: '' },
      { error: 0, reason: '' },
      { error: 0, reason: '' },
    ]);
  });

  it.each<[string, VhostRequestInit[], number, RegExp]>([
    [
      'features that were not offered',
      [{ case: 'setFeatures', value: { features: { bits: 1n << 34n, bitsHigh: 0n } } }],
      22,
      /0x400000000 were not offered/,
    ],
    [
      'regions that overlap',
      [{ case: 'setMemTable', value: { regions: [REGION, { ...REGION, userAddr: 0n }] } }],
      22,
      /at 0x0 overlaps/,
    ],
    [
      'a region of another window',
      [{ case: 'setMemTable', value: { regions: [{ ...REGION, window: 'guest7' }] } }],
      22,
      /outside its window/,
    ],
    [
      'a ring without memory',
      [{ case: 'setVring', value: RING }],
      22,
      /ring 0 lies outside of the memory table/,
    ],
    [
      'a ring of 3 entries',
      [TABLE, { case: 'setVring', value: { ...RING, num: 3 } }],
      22,
      /queue size 3 is not a power of two/,
    ],
    ['a request of another device', [{ case: 'suspend', value: {} }], 95, /suspend is not supported/],
  ])('refuse %s', (_what, requests, error, reason) => {
    const answers = ask(...requests);
    const last = answers[answers.length - 1];
    expect(last.error).toBe(error);
    expect(last.reason).toMatch(reason);
  });
});
