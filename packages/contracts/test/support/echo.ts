import { ContractError, type Handlers, type Implementation, implement } from '@vhostlab/contracts';
import type { EchoService } from '../gen/vhostlab/test/v1/echo_pb.ts';
import { EchoService as service } from '../gen/vhostlab/test/v1/echo_pb.ts';

/** What the echo service has seen of calls that were given up. */
export interface Seen {
  aborted: string[];
  deadlines: (number | undefined)[];
}

/** An implementation of the echo service that keeps what it has seen. */
export function echoImplementation(seen: Seen = { aborted: [], deadlines: [] }): Implementation {
  const handlers: Handlers<typeof EchoService> = {
    async say({ text, fail, delayMs, data, number }, context) {
      seen.deadlines.push(context.deadlineAt);
      context.signal.addEventListener('abort', () => seen.aborted.push(text));
      if (delayMs > 0) {
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
      if (fail === 'THROW') {
        throw new TypeError('a fault of the program');
      }
      if (fail !== '') {
        throw new ContractError(fail as 'NOT_FOUND', `refused: ${text}`, {
          recovery: 'wait',
          diagnostics: [
            {
              $typeName: 'vhostlab.common.v1.Diagnostic',
              severity: 1,
              summary: 's',
              detail: 'd',
              field: 'a[0].b',
            },
          ],
        });
      }
      return { text, data, number, traceparent: context.metadata.traceparent ?? '' };
    },
    async *repeat({ text, times, failAfter }, context) {
      context.signal.addEventListener('abort', () => seen.aborted.push(text));
      for (let index = 0; index < times; index += 1) {
        if (failAfter > 0 && index === failAfter) {
          throw new ContractError('INTERNAL', `failed after ${failAfter}`);
        }
        yield { text, index };
      }
    },
    async join(requests) {
      const texts: string[] = [];
      for await (const { text } of requests) {
        texts.push(text);
      }
      return { text: texts.join(' ') };
    },
    async *chat(requests, context) {
      context.signal.addEventListener('abort', () => seen.aborted.push('chat'));
      for await (const { text } of requests) {
        yield { text: `you said ${text}` };
      }
    },
  };
  return implement(service, handlers);
}
