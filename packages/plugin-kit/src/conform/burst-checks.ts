import { answerProblem } from '@vhostlab/backend-sdk';
import { burstV1 as bursts, type burstV1, toBinary } from '@vhostlab/contracts';
import { OPS } from '@vhostlab/engine';
import { type BurstTalk, type PluginBench, refusalOf } from './bench.ts';
import type { PluginCheck } from './check.ts';
import { CheckFailure, must } from './failure.ts';

const OP_NAMES = new Set(OPS.map(({ op }) => op));
const MANY = 300;

const burst = (
  id: string,
  title: string,
  requirement: string,
  run: (bench: PluginBench) => Promise<string>,
): PluginCheck => ({ id, title, requirement, depth: 'burst', run });

/** Frame `number` of `length` bytes: addresses, an experimental EtherType, bytes of its number. */
function frame(number: number, length = 60): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, i) => (number * 31 + i * 7) & 0xff);
  bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
  return bytes;
}

/** Asks, and checks every field of the answer. */
async function asked(
  talk: BurstTalk,
  frames: Uint8Array[],
  sequence: number,
  port = 1,
): Promise<burstV1.ExchangeResponse> {
  const answer = await talk.ask(frames, { sequence: BigInt(sequence), port });
  if (answer === undefined) throw new CheckFailure(`the stream ended at burst ${sequence}`);
  const problem = answerProblem(answer, sequence, frames.length, OP_NAMES);
  if (problem !== null) throw new CheckFailure(`burst ${sequence}: ${problem}`);
  return answer;
}

/** Checks of what a burst plugin does with bursts. */
export const BURST_CHECKS: readonly PluginCheck[] = [
  burst(
    'burst.answer',
    'bursts of 1, 2, 31 and 64 frames from wire and guest',
    'Each answer has the sequence of its burst; each frame is in an output or in drops; ports, sources, delays and operations exist.',
    async (bench) => {
      const talk = await bench.bursts();
      let sequence = 0;
      let out = 0;
      for (const port of [1, 10]) {
        for (const count of [1, 2, 31, 64]) {
          const frames = Array.from({ length: count }, (_, i) => frame(i));
          out += (await asked(talk, frames, ++sequence, port)).outputs.length;
        }
      }
      talk.close();
      return `${sequence} bursts, ${out} outputs`;
    },
  ),
  burst('burst.empty', 'a burst without frames', 'It is answered, with no output of it.', async (bench) => {
    const talk = await bench.bursts();
    await asked(talk, [], 1);
    talk.close();
    return 'answered';
  }),
  burst('burst.sizes', 'frames of 14 to 65550 bytes', 'Frames of every length are taken.', async (bench) => {
    const talk = await bench.bursts();
    let sequence = 0;
    for (const length of [14, 59, 1514, 9014, 65_550]) await asked(talk, [frame(1, length)], ++sequence);
    await asked(
      talk,
      Array.from({ length: 64 }, (_, i) => frame(i, 65_550)),
      ++sequence,
    );
    talk.close();
    return 'taken';
  }),
  burst(
    'burst.unknown-port',
    'a frame from a port that it does not know',
    'It is answered like any other: sent or dropped with a reason.',
    async (bench) => {
      const talk = await bench.bursts();
      await asked(talk, [frame(1)], 1, 4242);
      talk.close();
      return 'answered';
    },
  ),
  burst(
    'burst.unknown-instance',
    'a burst for an instance that does not exist',
    'The stream ends with NOT_FOUND.',
    async (bench) => {
      const talk = await bench.bursts();
      const { code } = await refusalOf(talk.ask([frame(1)], { id: 'nobody' }), 'a burst for nobody');
      must(code === 'NOT_FOUND', `a burst for nobody: ${code}`);
      return code;
    },
  ),
  burst(
    'burst.sequence-jump',
    'a burst whose number jumps',
    'The stream ends with INVALID_ARGUMENT.',
    async (bench) => {
      const talk = await bench.bursts();
      await asked(talk, [frame(1)], 1);
      const { code } = await refusalOf(talk.ask([frame(2)], { sequence: 7n }), 'burst 7 after burst 1');
      must(code === 'INVALID_ARGUMENT', `burst 7 after burst 1: ${code}`);
      return code;
    },
  ),
  burst('burst.many', `${MANY} bursts one after the other`, 'Each is answered, in order.', async (bench) => {
    const talk = await bench.bursts();
    for (let sequence = 1; sequence <= MANY; sequence++) {
      await asked(talk, [frame(sequence), frame(sequence + 1, 1514)], sequence, sequence % 2 === 0 ? 1 : 10);
    }
    talk.close();
    return `${MANY} answers`;
  }),
  burst(
    'burst.repeats',
    'the same bursts with the same seed',
    'Two instances of one configuration and seed give the same answers, byte for byte.',
    async (bench) => {
      const runs: string[] = [];
      for (let run = 0; run < 2; run++) {
        const talk = await bench.bursts();
        const answers: string[] = [];
        for (let sequence = 1; sequence <= 40; sequence++) {
          const answer = await asked(talk, [frame(sequence), frame(sequence + 1)], sequence);
          answers.push(Buffer.from(toBinary(bursts.ExchangeResponseSchema, answer)).toString('hex'));
        }
        talk.close();
        runs.push(answers.join());
      }
      must(runs[0] === runs[1], 'the second run differs from the first');
      return '40 answers twice';
    },
  ),
  burst(
    'burst.statistics',
    'statistics count what went through',
    'GetStatistics answers counters that grow, and the drops that were answered.',
    async (bench) => {
      const { client, transport, id } = await bench.instance();
      const before = await client.getStatistics(id);
      const talk = bench.talk(transport, id);
      const { drops } = await asked(talk, [frame(1), frame(2)], 1);
      const after = await client.getStatistics(id);
      talk.close();
      const sum = (counters: { value: bigint }[]) => counters.reduce((total, { value }) => total + value, 0n);
      must(after.counters.length > 0, 'there are no counters');
      must(sum(after.counters) > sum(before.counters), 'no counter has grown with a burst of two frames');
      for (const { reason, count } of drops) {
        const counted = after.drops.find((one) => one.reason === reason)?.count ?? 0n;
        must(counted >= count, `drops of ${reason}: ${count} answered, ${counted} counted`);
      }
      return `${after.counters.length} counters`;
    },
  ),
];
