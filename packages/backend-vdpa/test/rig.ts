import {
  askVhost,
  type ScenarioConfig,
  serveVhost,
  type VhostReplyInit,
  type VhostRequestInit,
} from '@vhostlab/backend-sdk';
import { runComponents, type TestOutcome } from '@vhostlab/datapath/test-kit';
import { type ComponentPlan, type CoreContext, type CoreModule, IDLE } from '@vhostlab/engine';
import { vdpaPlugin } from '../src/index.ts';

export function scenario(part: Partial<ScenarioConfig> = {}): ScenarioConfig {
  return {
    backend: 'vdpa',
    workload: 'tx',
    guests: 1,
    queues: 1,
    ring: 'split',
    ringSize: 256,
    pages: '4K',
    execution: 'rtc',
    guest: 'poll',
    offloads: { csum: true, tso: true, mrg: true },
    nic: { pcie: 'gen4x16', rateGbps: 25 },
    flows: [],
    traffic: { kind: 'udp', packets: 10, size: '64', lineBps: 25e9, seed: 1 },
    faults: [],
    seed: 1,
    ...part,
  };
}

/** Offered by the parent device of these tests. */
export const DEVICE_FEATURES = 0x1_3000_0000n;
/** A ring that the parent device refuses. */
export const REFUSED_RING = 9;

/** The parent device: answers everything at once, and keeps what reached it. */
const parentModule: CoreModule = {
  create(context: CoreContext): void {
    const seen: string[] = [];
    context.onCollect('seen', () => seen);
    serveVhost(context.control('vdpa0'), (request, answer: (reply: VhostReplyInit) => void) => {
      seen.push(request.case ?? 'empty');
      if (request.case === 'getFeatures') {
        return answer({ answer: { case: 'features', value: { bits: DEVICE_FEATURES } } });
      }
      if (request.case === 'getVringBase') {
        return answer({ answer: { case: 'vringBase', value: { index: request.value.index, base: 77 } } });
      }
      if (request.case === 'setVring' && request.value.index === REFUSED_RING) {
        return answer({ error: 22, reason: 'This device does not have that ring.' });
      }
      answer({});
    });
    context.addTask({ name: 'test.parent', run: () => IDLE });
  },
};

export interface Answer {
  error: number;
  reason: string;
  answer: string;
}

/** The VMM: sends its requests, all at once or each after the answer of the one before. */
const vmmModule: CoreModule = {
  create(context: CoreContext, config: { requests: VhostRequestInit[]; pipelined: boolean }): void {
    const answers: Answer[] = [];
    context.onCollect('answers', () => answers);
    const end = context.control('vhost0');
    const ask = function* (requests: VhostRequestInit[]) {
      for (const request of requests) {
        const reply = yield* askVhost(end, request);
        answers.push({ error: reply.error, reason: reply.reason, answer: reply.answer.case ?? '' });
      }
    };
    if (!config.pipelined) context.spawn('test.vmm', ask(config.requests));
    else for (const request of config.requests) context.spawn('test.vmm', ask([request]));
  },
};

export interface RigOutcome extends TestOutcome {
  answers: Answer[];
  /** What reached the parent device, in order. */
  seen: string[];
}

/** Runs the requests of a VMM against the vdpa back end and a parent device. */
export function ask(requests: VhostRequestInit[], pipelined = false): RigOutcome {
  const peers: ComponentPlan = {
    cores: [
      {
        id: 'nic0',
        service: 'nic',
        module: 'test/parent',
        config: {},
        mode: 'hardware',
        account: 'none',
      },
      {
        id: 'guest0.vmm',
        service: 'guest',
        module: 'test/vmm',
        config: { requests, pipelined },
        mode: 'wait',
        account: 'host',
      },
    ],
    windows: [],
    ends: [
      { channel: 'vdpa.0', kind: 'control', side: 'b', core: 'nic0', end: 'vdpa0', latency: 'syscall' },
      {
        channel: 'vhost.0.0',
        kind: 'control',
        side: 'a',
        core: 'guest0.vmm',
        end: 'vhost0',
        latency: 'syscall',
      },
    ],
  };
  const modules = new Map<string, CoreModule>([
    ...vdpaPlugin.modules,
    ['test/parent', parentModule],
    ['test/vmm', vmmModule],
  ]);
  const outcome = runComponents([vdpaPlugin.plan(scenario()), peers], modules);
  return {
    ...outcome,
    answers: outcome.core('guest0.vmm').results.answers as Answer[],
    seen: outcome.core('nic0').results.seen as string[],
  };
}
