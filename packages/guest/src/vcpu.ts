import type { CoreContext, CoreModule, Procedure, Task } from '@vhostlab/engine';
import { type BringUpResult, bringUp } from './bring-up.ts';
import type { VcpuConfig } from './core-config.ts';
import { GuestPort, type PairStart } from './guest-port.ts';
import { InterruptSource } from './interrupt-source.ts';
import { NapiReceiver } from './napi-receiver.ts';
import { PollReceiver, PollSource } from './poll-tasks.ts';

/** Method of the message that starts another vCPU's queue pair; its body is a `PairStart` in JSON. */
const START_PAIR = 1;

/** One vCPU of a guest and its queue pair; vCPU 0 brings the device up first and then starts the others. */
export const vcpuModule: CoreModule = {
  create(context: CoreContext, config: VcpuConfig): void {
    if (config.boot !== undefined) {
      context.spawn('guest.init', boot(context, config));
      return;
    }
    context.control('ipi').onRequest((_method, body, reply) => {
      startPair(context, config, JSON.parse(new TextDecoder().decode(body)) as PairStart);
      reply(0, new Uint8Array(0));
    });
  },
};

function* boot(context: CoreContext, config: VcpuConfig): Procedure {
  const layout = config.boot?.layout;
  if (layout === undefined) return;
  let outcome: unknown = {
    ok: false,
    failure: 'unfinished',
    detail: 'the run ended before the device was up',
  };
  context.onCollect('setup', () => outcome);
  const path = { context, end: context.memory('pci'), emulated: config.emulated };
  const result = yield* bringUp(path, config, layout, context.window(config.window));
  note(context, config, result);
  if (!result.ok) {
    outcome = result;
    context.counter('setup.failed').value++;
    return;
  }
  const { features, dropped, pairs } = result;
  outcome = { ok: true, features: features.names(), dropped };
  for (let q = 1; q < pairs.length; q++) {
    context.control(`ipi${q}`).send(START_PAIR, new TextEncoder().encode(JSON.stringify(pairs[q])));
  }
  startPair(context, config, pairs[0]);
}

function note(context: CoreContext, config: VcpuConfig, result: BringUpResult): void {
  const stage = context.stage('setup');
  if (!result.ok) {
    context.recorder.note(
      stage,
      `guest ${config.guest}: ${result.failure}: ${result.detail}`,
      config.guest,
      0,
    );
    return;
  }
  const { features, dropped } = result;
  context.recorder.note(stage, `guest ${config.guest}: negotiated ${features}`, features.low, features.high);
  for (const text of dropped) context.recorder.note(stage, `guest ${config.guest}: without ${text}`, 0, 0);
}

function startPair(context: CoreContext, config: VcpuConfig, start: PairStart): void {
  context.addTask(dataTask(new GuestPort(context, config, start)));
}

function dataTask(port: GuestPort): Task {
  const { role, scenario } = port.config;
  const polls = scenario.guest === 'poll';
  if (role === 'source') return polls ? new PollSource(port) : new InterruptSource(port);
  return polls ? new PollReceiver(port, role) : new NapiReceiver(port, role);
}
