import { type ControlEnd, type CoreContext, type CoreModule, IDLE } from '@vhostlab/engine';
import {
  decodeUpcall,
  encodeActions,
  encodeUpcallReply,
  KEY_WORDS,
  METHOD_UPCALL,
  STATUS_INVALID,
  STATUS_OK,
  W_IN_PORT,
} from '../src/index.ts';

/** A switch service for tests: where frames of each input port go; ports that are not listed drop. */
export interface SwitchCoreConfig {
  /** Ends of the `upcall` channels. */
  ends: string[];
  outputs: { from: number; to: number[] }[];
}

function serve(context: CoreContext, end: ControlEnd, outputs: SwitchCoreConfig['outputs']): void {
  end.onRequest((method, body, reply) => {
    const upcall = method === METHOD_UPCALL ? decodeUpcall(body) : undefined;
    if (upcall === undefined) {
      reply(STATUS_INVALID, new Uint8Array(0));
      return;
    }
    context.counter('upcalls').value++;
    const to = outputs.find(({ from }) => from === upcall.key[W_IN_PORT])?.to ?? [];
    const program = encodeActions(to.map((port) => ({ type: 'output', port })));
    const mask = new Uint32Array(KEY_WORDS);
    mask[W_IN_PORT] = 0xffffffff;
    const key = new Uint32Array(KEY_WORDS);
    key[W_IN_PORT] = upcall.key[W_IN_PORT];
    reply(STATUS_OK, encodeUpcallReply({ program, put: { key, mask, program } }));
  });
}

/** Core module of the switch service for tests: one flow per input port. */
export const switchCoreModule: CoreModule = {
  create(context: CoreContext, config: SwitchCoreConfig): void {
    for (const end of config.ends) serve(context, context.control(end), config.outputs);
    context.addTask({ name: 'test.switch', run: () => IDLE });
  },
};
