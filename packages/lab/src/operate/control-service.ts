import {
  ContractError,
  controlV1,
  type Implementation,
  implement,
  MessageQueue,
  type MessageShape,
} from '@vhostlab/contracts';
import { UsageError } from '../scenario/options.ts';
import { ServiceLostError } from '../services/service-lost.ts';
import { connectToLab } from './connect.ts';
import type { LabFolder } from './lab-folder.ts';
import type { LabSupervisor } from './lab-supervisor.ts';
import type { LabState, WantedLab } from './state.ts';

/** Most bytes of a wanted lab. */
const MAX_WANTED_BYTES = 32 * 1024 * 1024;

/** LabService of one supervisor. */
export function controlImplementation(supervisor: LabSupervisor, onDown: () => void): Implementation {
  return implement(controlV1.LabService, {
    apply: async ({ wantedJson, dryRun }) => {
      if (wantedJson.length > MAX_WANTED_BYTES)
        throw new ContractError('RESOURCE_EXHAUSTED', 'The lab is described by more than 32 MiB.');
      const wanted = JSON.parse(wantedJson) as WantedLab;
      const { file } = supervisor.state;
      if (wanted.file !== file) {
        throw new ContractError(
          'FAILED_PRECONDITION',
          `lab ${supervisor.state.name} is up already from ${file}; end it with vhostlab lab down ${supervisor.state.name} or give ${wanted.file} another name`,
        );
      }
      try {
        const actions = supervisor.planned(wanted);
        if (!dryRun) await supervisor.apply(wanted);
        return { actions };
      } catch (error) {
        const code = error instanceof UsageError ? 'FAILED_PRECONDITION' : 'ABORTED';
        throw new ContractError(code, (error as Error).message, { cause: error });
      }
    },
    addEvent: async ({ eventJson, dryRun }) => {
      try {
        return { actions: await supervisor.addEvent(eventJson, dryRun) };
      } catch (error) {
        const code = error instanceof UsageError ? 'INVALID_ARGUMENT' : 'ABORTED';
        throw new ContractError(code, (error as Error).message, { cause: error });
      }
    },
    inspect: () => ({ stateJson: JSON.stringify(supervisor.state) }),
    events: ({ from, follow }) => {
      const queue = new MessageQueue<{ eventJson: string }>();
      for (const event of supervisor.events.all) {
        if (BigInt(event.number) >= from) queue.push({ eventJson: JSON.stringify(event) });
      }
      if (follow) {
        supervisor.events.follow((event) => void queue.push({ eventJson: JSON.stringify(event) }));
        void supervisor.ended.then(() => queue.end());
      } else queue.end();
      return queue as AsyncIterable<MessageShape<typeof controlV1.EventsResponseSchema>>;
    },
    down: async () => {
      const actions = await supervisor.down();
      setImmediate(onDown);
      return { actions };
    },
  });
}

/** Brings a lab that is up to what is wanted, and answers the lines of what was done. */
export async function applyTo(state: LabState, wanted: WantedLab, dryRun: boolean): Promise<string[]> {
  const { client, close } = connectToLab(state);
  try {
    const request = { wantedJson: JSON.stringify(wanted), dryRun };
    return (await client.apply(request, { timeoutMs: Number.POSITIVE_INFINITY })).actions;
  } catch (error) {
    if (error instanceof ContractError && error.code === 'FAILED_PRECONDITION')
      throw new UsageError(error.message);
    if (error instanceof ContractError) throw new ServiceLostError(error.message);
    throw error;
  } finally {
    close();
  }
}

/** The last known state of a lab, told apart from one whose supervisor is gone. Throws UsageError when there is none. */
export function stateOf(folder: LabFolder): { state: LabState; isUp: boolean } {
  const state = folder.readState();
  if (state === undefined) {
    throw new UsageError(
      `there is no lab ${folder.name} below ${folder.path.slice(0, -folder.name.length - 1)}; bring one up with vhostlab lab up FILE`,
    );
  }
  const isUp = folder.owner() !== undefined;
  if (!isUp && state.phase !== 'failed' && state.phase !== 'ended') {
    state.phase = 'failed';
    state.ready = false;
    state.error = `the supervisor (process ${state.supervisor}) was killed; its services ended with it`;
    for (const node of state.nodes) if (node.placement !== 'endpoint') node.state = 'ended';
  }
  return { state, isUp };
}
