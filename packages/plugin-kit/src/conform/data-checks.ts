import type { LabRun, LabRunResult } from '../lab/plugin-lab.ts';
import { exploreSchedules } from '../schedule/explore.ts';
import type { PluginBench } from './bench.ts';
import type { PluginCheck } from './check.ts';
import { must, NotClaimed } from './failure.ts';

const data = (
  id: string,
  title: string,
  requirement: string,
  run: (bench: PluginBench) => Promise<string>,
  claims?: string,
): PluginCheck => ({
  id,
  title,
  requirement,
  depth: 'any',
  ...(claims === undefined ? {} : { claims }),
  run,
});

const PACKETS = 200;

/** Runs the plugin in a lab; what is offered must be delivered or dropped with a reason. */
async function carries(bench: PluginBench, run: LabRun): Promise<LabRunResult> {
  const options = { packets: PACKETS, ...run.options };
  const own = bench.options === undefined ? {} : { pluginOptions: bench.options };
  const result = await bench.lab.run({ ...own, ...run, options });
  const dropped = Object.values(result.drops).reduce((sum, count) => sum + count, 0);
  const seen = `${result.offered} offered, ${result.delivered} delivered, ${dropped} dropped`;
  must(result.offered > 0, 'no frame was offered');
  must(result.offered === result.delivered + dropped, `${seen}: the others are lost silently`);
  return result;
}

async function counts(bench: PluginBench, run: LabRun): Promise<string> {
  const { offered, delivered, drops } = await carries(bench, run);
  const reasons = Object.entries(drops).map(([reason, count]) => `, ${count} ${reason}`);
  return `${delivered} of ${offered}${reasons.join('')}`;
}

/** Checks of what a plugin carries, in a lab with a guest, a switch and a NIC; and of its schedules. */
export const DATA_CHECKS: readonly PluginCheck[] = [
  data(
    'data.split',
    'frames both ways in split rings',
    'Each frame of guest and wire arrives or is dropped with a reason.',
    (bench) => counts(bench, { options: { ring: 'split' } }),
    'rings.split',
  ),
  data(
    'data.packed',
    'frames both ways in packed rings',
    'Each frame of guest and wire arrives or is dropped with a reason.',
    (bench) => counts(bench, { options: { ring: 'packed' } }),
    'rings.packed',
  ),
  data(
    'data.interrupt-guest',
    'a guest that sleeps',
    'A guest that asks for calls gets its frames: nothing waits for ever.',
    (bench) => counts(bench, { options: { guest: 'interrupt', rate: '300kpps' } }),
  ),
  data(
    'data.sizes',
    'frames of all sizes of RFC 2544',
    'Each arrives or is dropped with a reason.',
    (bench) => counts(bench, { options: { size: 'imix' } }),
  ),
  data(
    'data.two-queues',
    'two queue pairs',
    'Each frame of each pair arrives or is dropped with a reason.',
    (bench) => counts(bench, { options: { queues: 2, flows: 16 } }),
  ),
  data(
    'data.repeats',
    'the same run twice',
    'The same scenario and seed give the same frames and the same statistics of every core.',
    async (bench) => {
      const [first, second] = [await carries(bench, {}), await carries(bench, {})];
      must(first.frames.join() === second.frames.join(), 'the second run delivered other frames');
      must(first.statistics === second.statistics, 'the second run has other statistics');
      return 'twice the same';
    },
  ),
  data(
    'data.replica',
    'memory that is fed by publications only',
    'The run is the same when the device sees a replica of guest memory: every byte is covered by a publication.',
    async (bench) => {
      const plain = await carries(bench, {});
      const replica = await carries(bench, { copyMode: true });
      must(
        plain.frames.join() === replica.frames.join(),
        'other frames were delivered: bytes were not published',
      );
      must(plain.statistics === replica.statistics, 'the statistics of the cores differ');
      return 'the same run';
    },
  ),
  data(
    'fault.unmapped',
    'a frame whose memory is not mapped',
    'It costs that frame, counted with a reason, and nothing else.',
    async (bench) => {
      const faults = [{ packet: 5, action: 'unmap' as const, value: 0 }];
      const { offered, delivered, drops } = await carries(bench, { workload: 'tx', part: { faults } });
      const reasons = Object.keys(drops).join(', ');
      must(delivered === offered - 1, `${delivered} of ${offered} were delivered; dropped for ${reasons}`);
      return reasons;
    },
  ),
  data(
    'fault.short',
    'a frame whose descriptor ends early',
    'It costs at most that frame; the others arrive.',
    async (bench) => {
      const faults = [{ packet: 5, action: 'shorten' as const, value: 20 }];
      const { offered, delivered } = await carries(bench, { workload: 'tx', part: { faults } });
      must(delivered >= offered - 1, `${delivered} of ${offered} were delivered`);
      return `${delivered} of ${offered}`;
    },
  ),
  ...(['split', 'packed'] as const).map((ring) =>
    data(
      `schedule.${ring}`,
      `every schedule of publish, barrier and notify up to a bound, ${ring} rings`,
      'Neither side sleeps while the other waits for it, however late a publication is visible.',
      async (bench) => {
        const { device, depth } = bench.plugin;
        if (device === undefined)
          throw new NotClaimed('its cores run in its own process; conform its package to see its schedules');
        if (depth === 'burst') throw new NotClaimed('the host handles the rings of a burst plugin');
        if (!(await hasRings(bench))) throw new NotClaimed('the NIC handles its rings, not the plugin');
        const options = bench.options === undefined ? {} : { options: bench.options };
        const { schedules, fault } = exploreSchedules(device, { ring, ...options });
        must(fault === null, fault ?? '');
        return `${schedules} schedules`;
      },
      `rings.${ring}`,
    ),
  ),
];

/** True when the plugin's own cores hold the device's end of virtqueues. */
async function hasRings(bench: PluginBench): Promise<boolean> {
  const { client } = await bench.shaken();
  const { plan } = await client.create(bench.config());
  return plan.ends.some(({ channel }) => channel.startsWith('vq.'));
}
