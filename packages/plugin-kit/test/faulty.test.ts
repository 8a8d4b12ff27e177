import { type BurstAnswer, definePlugin, type PluginDefinition, z } from '@vhostlab/backend-sdk';
import { testScenario } from '@vhostlab/backend-sdk/test-kit';
import type { burstV1, ServerContext } from '@vhostlab/contracts';
import { describe, expect, it } from 'vitest';
import { conformPlugin, exploreSchedules, type OpenPlugin, openPlugin } from '../src/index.ts';
import { reflector } from './support/forgetful.ts';
import { joined } from './support/joined.ts';
import { tampered } from './support/tampered.ts';

type Answered = { sequence: bigint; outputs: burstV1.Output[] };

/** A burst plugin whose handling of a burst is at fault. */
function bursts(
  burst: (port: number, frames: readonly Uint8Array[], answer: BurstAnswer) => void,
): Promise<OpenPlugin> {
  const create = () => ({
    burst: ({ port, frames }: { port: number; frames: readonly Uint8Array[] }, answer: BurstAnswer) =>
      burst(port, frames, answer),
  });
  return openPlugin({ plugin: joined({ create }) });
}

const others = (port: number): number => (port === 1 ? 10 : 1);

/** Calls `send` for each frame by its number. */
function each(frames: readonly Uint8Array[], send: (at: number) => void): void {
  for (const at of frames.keys()) send(at);
}

/** The good device plugin of the tests, changed. */
function device(part: Partial<PluginDefinition>): Promise<OpenPlugin> {
  return openPlugin({ plugin: definePlugin({ ...reflector('reflector', true), ...part }) });
}

let clock = 0;

const FAULTS: readonly [
  fault: string,
  () => Promise<OpenPlugin> | OpenPlugin,
  check: string,
  says: string,
][] = [
  [
    'forgets every tenth frame',
    () => bursts((port, frames, answer) => each(frames, (i) => i % 10 === 9 || answer.send(others(port), i))),
    'burst.answer',
    '28 of 31 frames are in outputs and 0 in drops',
  ],
  [
    'sends frames of nowhere',
    () => bursts((port, frames, answer) => each(frames, (i) => answer.send(others(port), i + 1))),
    'burst.answer',
    'outputs[0].source is 1',
  ],
  [
    'charges what no profile knows',
    () =>
      bursts((_, frames, answer) => {
        answer.charge('my.work', 1, 0);
        answer.drop('all', frames.length);
      }),
    'burst.answer',
    'charges[0].op is "my.work"',
  ],
  [
    'dies of a port that it does not know',
    () =>
      bursts((port, frames, answer) => {
        if (port > 100) throw new Error('what port?');
        answer.drop('all', frames.length);
      }),
    'burst.unknown-port',
    'what port?',
  ],
  [
    'answers differently every time',
    () =>
      bursts((port, frames, answer) =>
        each(frames, (i) => answer.send(others(port), i, { delayPs: clock++ })),
      ),
    'burst.repeats',
    'the second run differs',
  ],
  [
    'numbers answers by itself',
    () =>
      tampered(({ exchange }) =>
        exchange === undefined
          ? {}
          : {
              async *exchange(requests, context) {
                for await (const answer of exchange(requests, context) as AsyncIterable<Answered>) {
                  yield { ...answer, sequence: answer.sequence + 1n };
                }
              },
            },
      ),
    'burst.answer',
    'sequence is 2; the burst was 1',
  ],
  [
    'takes any option',
    () => openPlugin({ plugin: joined({ options: z.looseObject({}) as never }) }),
    'validate.unknown-key',
    'no_such_option was accepted',
  ],
  [
    'talks without a handshake',
    () =>
      tampered(({ handshake }) =>
        handshake === undefined ? {} : { getCapabilities: () => ({ capabilities: [] }) },
      ),
    'handshake.first',
    'GetCapabilities before Handshake was answered with success',
  ],
  [
    'agrees to any version',
    () =>
      tampered(({ handshake }) =>
        handshake === undefined
          ? {}
          : { handshake: (request: { hello: object }) => ({ hello: { ...request.hello, name: 'joined' } }) },
      ),
    'handshake.no-version',
    'version 77 was answered with success',
  ],
  [
    'is made twice',
    () =>
      tampered(({ create }) =>
        create === undefined
          ? {}
          : {
              create: async (request: never, context: ServerContext) =>
                (create as (request: never, context: ServerContext) => Promise<object>)(
                  request,
                  context,
                ).catch(() => ({
                  plan: {},
                })),
            },
      ),
    'create.taken',
    'Create of a taken id was answered with success',
  ],
  [
    'gives no reason for what it cannot do',
    () => device({ capabilities: () => [{ name: 'migration', support: 'unsupported' }] }),
    'capabilities.list',
    'reflector.migration gives no reason',
  ],
  [
    'has lost its barrier, split',
    () => openPlugin({ plugin: reflector('reflector', false) }),
    'schedule.split',
    'wait for ever in the split ring',
  ],
  [
    'has lost its barrier, packed',
    () => openPlugin({ plugin: reflector('reflector', false) }),
    'schedule.packed',
    'wait for ever in the packed ring',
  ],
];

describe('a plugin that', () => {
  it.each(FAULTS)('%s', async (_, open, check, says) => {
    const { results, failures } = await conformPlugin(await open(), { only: [check] });
    expect(results).toHaveLength(1);
    expect(results[0]?.observed).toContain(says);
    expect(results[0]?.verdict).toMatch(/^(failed|claimed-failed)$/);
    expect(failures).toBe(1);
  });
});

describe.each(['split', 'packed'] as const)(
  'the schedules of a plugin with its barrier, %s rings',
  (ring) => {
    it('leave nobody asleep', () => {
      const { schedules, fault } = exploreSchedules(reflector('reflector', true), {
        ring,
        gaps: 12,
        choices: 1,
      });
      expect(fault).toBeNull();
      expect(schedules).toBe(24);
    });
  },
);

it('a scenario for tests is one that plugins take', () => {
  expect(reflector('reflector', true).configSchema.safeParse(testScenario()).success).toBe(true);
});
