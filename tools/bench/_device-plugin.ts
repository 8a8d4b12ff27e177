import { PLUGINS } from '../../packages/lab/src/index.ts';
import { openPlugin, PluginLab } from '../../packages/plugin-kit/src/index.ts';

/** A device plugin from a package may cost this share of the built-in's packet rate. */
const TARGET_COST = 0.05;
const PACKAGE = new URL('./_packed-plugin', import.meta.url).pathname;

/**
 * Packets per second of processor time that a lab carries over the built-in vhost-user back end and over the same back
 * end from a package, in pairs that take turns, and what the package costs. Processor time, because other programs of
 * the machine take none of it; both runs deliver the same packets in the same virtual time.
 */
export async function devicePlugin(pairs: number, packets: number): Promise<void> {
  const builtIn = PLUGINS.find(({ name }) => name === 'vhost-user');
  const packed = await openPlugin({ package: PACKAGE });
  if (builtIn === undefined || packed.device === undefined) throw new Error('one of the two is not there');
  const labs = { builtIn: new PluginLab(builtIn), packed: new PluginLab(packed.device) };
  const rate = async (which: keyof typeof labs): Promise<number> => {
    const from = process.cpuUsage();
    const { offered, delivered, drops } = await labs[which].run({ workload: 'pvp', options: { packets } });
    const { user, system } = process.cpuUsage(from);
    const lost = Object.values(drops).reduce((sum, count) => sum + count, 0);
    if (delivered + lost !== offered) throw new Error(`${delivered} of ${offered} packets`);
    return offered / ((user + system) / 1e6);
  };
  await rate('builtIn');
  await rate('packed');
  const ratios: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    // who goes first takes turns, too
    const order = pair % 2 === 0 ? (['builtIn', 'packed'] as const) : (['packed', 'builtIn'] as const);
    const found = { builtIn: 0, packed: 0 };
    for (const which of order) found[which] = await rate(which);
    ratios.push(found.packed / found.builtIn);
    console.log(
      `pair ${pair + 1}: built-in ${text(found.builtIn)}, package ${text(found.packed)} packets per second of processor time`,
    );
  }
  for (const lab of Object.values(labs)) lab.close();
  await packed.close();
  ratios.sort((a, b) => a - b);
  const cost = 1 - (ratios[ratios.length >> 1] as number);
  const spread = [1 - (ratios.at(-1) as number), 1 - (ratios[0] as number)].map(percent).join(' to ');
  console.log(
    `device plugin: a package costs ${percent(cost)} of the built-in's packet rate (median of ${pairs} pairs, ${spread}); target at most ${percent(TARGET_COST)}`,
  );
}

const text = (rate: number): string => Math.round(rate).toLocaleString('en');
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
