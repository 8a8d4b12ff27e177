import { parseArgs } from 'node:util';
import {
  BurstBridge,
  commonV1,
  decodeBurstResponse,
  encodeBurstRequest,
} from '../../packages/contracts/src/index.ts';
import { launch, readManifest } from '../../packages/plugin-kit/src/index.ts';
import { devicePlugin } from './_device-plugin.ts';

const TARGET_PPS = 200_000;
const EXAMPLE = new URL('../../examples/plugins/impair', import.meta.url).pathname;
/** As many as a round: compiled code is reached after about 2,000 bursts at each end. */
const WARM_UP = 3000;

/**
 * `npm run bench -- plugin [--bursts N] [--frames N] [--rounds N] [--package FOLDER] [--pairs N] [--packets N]`: frames
 * per second that a burst plugin in a process of its own takes and answers over a Unix socket, one burst under way,
 * encoding and decoding of both ends in it. The plugin is the example `impair` unless said otherwise. Then what a device
 * plugin from a package costs against the built-in back end.
 */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      bursts: { type: 'string', default: '3000' },
      frames: { type: 'string', default: '64' },
      rounds: { type: 'string', default: '5' },
      package: { type: 'string', default: EXAMPLE },
      pairs: { type: 'string', default: '7' },
      packets: { type: 'string', default: '60000' },
    },
  });
  const [bursts, count, rounds] = [values.bursts, values.frames, values.rounds].map(Number) as [
    number,
    number,
    number,
  ];
  const launched = await launch(readManifest(values.package));
  const init = { optionsJson: '{}', clock: commonV1.Clock.REAL, seed: 1 };
  const bridge = new BurstBridge(launched.address, init);
  const frames = Array.from({ length: count }, () => new Uint8Array(60).fill(2));
  let sequence = 0;
  const carry = (times: number): void => {
    for (let i = 0; i < times; i++) {
      sequence++;
      const request = encodeBurstRequest({
        id: bridge.id,
        sequence: BigInt(sequence),
        nowPs: BigInt(sequence) * 1_000_000n,
        port: 1,
        frames,
      });
      const { outputs } = decodeBurstResponse(bridge.exchange(request));
      if (outputs.length !== count) throw new Error(`${outputs.length} of ${count} frames came back`);
    }
  };
  carry(WARM_UP);
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    carry(bursts);
    const rate = (bursts * count) / ((performance.now() - startedMs) / 1000);
    rates.push(rate);
    console.log(`round ${round + 1}: ${Math.round(rate).toLocaleString('en')} frames per second`);
  }
  bridge.close();
  await launched.close();
  const median = rates.sort((a, b) => a - b)[rates.length >> 1] as number;
  console.log(
    `burst plugin: median ${Math.round(median).toLocaleString('en')} frames per second in bursts of ${count}, ${(median / TARGET_PPS).toFixed(2)} times the target of ${TARGET_PPS.toLocaleString('en')}`,
  );
  await devicePlugin(Number(values.pairs), Number(values.packets));
}
