import { runComponents } from '@vhostlab/datapath/test-kit';
import { type ComponentPlan, type CoreContext, type CoreModule, IDLE } from '@vhostlab/engine';
import { describe, expect, it } from 'vitest';
import {
  askVhost,
  EINVAL,
  METHOD_VHOST,
  readVhostReply,
  serveVhost,
  type VhostReplyInit,
} from '../src/index.ts';

interface Answer {
  error: number;
  reason: string;
}

/** Refuses to answer GetStatus before it has been asked for the features. */
const serverModule: CoreModule = {
  create(context: CoreContext): void {
    let late: ((reply: VhostReplyInit) => void) | undefined;
    serveVhost(context.control('requests'), (request, answer) => {
      if (request.case === 'getStatus') {
        late = answer;
        return;
      }
      answer({ error: 0, answer: { case: 'queuePairs', value: 7 } });
      late?.({ answer: { case: 'status', value: 15 } });
    });
    context.addTask({ name: 'test.server', run: () => IDLE });
  },
};

const clientModule: CoreModule = {
  create(context: CoreContext): void {
    const answers: (Answer & { value: unknown })[] = [];
    context.onCollect('answers', () => answers);
    const end = context.control('requests');
    const keep = (reply: ReturnType<typeof readVhostReply>) =>
      answers.push({ error: reply.error, reason: reply.reason, value: reply.answer.value });
    context.spawn(
      'test.late',
      (function* () {
        keep(yield* askVhost(end, { case: 'getStatus', value: {} }));
      })(),
    );
    context.spawn(
      'test.other',
      (function* () {
        keep(yield* askVhost(end, { case: 'getQueueNum', value: {} }));
        keep(readVhostReply(yield end.request(METHOD_VHOST, Uint8Array.of(0xff, 0xff))));
        keep(readVhostReply(yield end.request(99, new Uint8Array(0))));
      })(),
    );
  },
};

describe('vhost requests on a control channel', () => {
  it('are answered at once or later, and refused when they are none', () => {
    const core = (id: string, service: string, module: string) => ({
      id,
      service,
      module,
      config: {},
      mode: 'wait' as const,
      account: 'host' as const,
    });
    const end = { channel: 'requests', kind: 'control', end: 'requests', latency: 'syscall' } as const;
    const plan: ComponentPlan = {
      cores: [core('client', 'guest', 'test/client'), core('server', 'backend', 'test/server')],
      windows: [],
      ends: [
        { ...end, side: 'a', core: 'client' },
        { ...end, side: 'b', core: 'server' },
      ],
    };
    const outcome = runComponents(
      [plan],
      new Map([
        ['test/client', clientModule],
        ['test/server', serverModule],
      ]),
    );
    const answers = outcome.core('client').results.answers as (Answer & { value: unknown })[];
    expect(answers.slice(0, 2).map(({ error, value }) => `${error} ${value}`)).toEqual(['0 15', '0 7']);
    expect(answers.slice(2).map(({ error }) => error)).toEqual([EINVAL, EINVAL]);
    expect(answers[2].reason).toMatch(/^not a VhostRequest: /);
    expect(answers[3].reason).toBe('not a VhostRequest: method 99 does not exist');
  });
});
