import type { WorkloadName } from '@vhostlab/workload';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';
import { addPluginFlags, optionsOf, type PluginFlags, placeOf } from '../plugin-flags.ts';

interface Flags extends PluginFlags {
  workload: WorkloadName;
  packets: number;
  ring: 'split' | 'packed';
  size: string;
  json?: boolean;
}

/** Adds `vhostlab plugin try`. */
export function register(group: Command, io: Io): void {
  addPluginFlags(group.command('try'))
    .description(
      'carry a workload over a plugin, with a guest, a switch and a NIC around it, in virtual time',
    )
    .addOption(
      new Option('--workload <name>', 'what the guest does')
        .choices(['pvp', 'rx', 'tx', 'rr'])
        .default('pvp'),
    )
    .option('--packets <n>', 'packets', whole, 10_000)
    .option('--size <bytes>', 'frame size with FCS, or a mix', '64')
    .addOption(new Option('--ring <format>', 'ring format').choices(['split', 'packed']).default('split'))
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  vhostlab plugin try --package . --ring packed --option delayNs=500')
    .action((flags: Flags) => run(io, flags));
}

async function run(io: Io, flags: Flags): Promise<void> {
  const kit = await import('@vhostlab/plugin-kit');
  const plugin = await kit.openPlugin(await placeOf(flags));
  try {
    const inside = plugin.device ?? plugin.remote;
    if (inside === undefined) {
      throw new OperatorError(
        '--endpoint: it runs no cores there; start it with vhostlab plugin run, or name its --package',
      );
    }
    const lab = new kit.PluginLab(inside);
    const pluginOptions = optionsOf(flags);
    const { workload, packets, ring, size } = flags;
    const result = await lab.run({
      workload,
      options: { packets, ring, size },
      ...(pluginOptions === undefined ? {} : { pluginOptions }),
    });
    lab.close();
    const { offered, delivered, drops, frames, pps } = result;
    if (flags.json === true) {
      const row = {
        plugin: plugin.name,
        workload,
        ring,
        clock: 'virtual',
        offered,
        delivered,
        drops,
        pps,
        frames,
      };
      io.out(`${JSON.stringify({ ...row, counters: result.plugin }, null, 2)}\n`);
      return;
    }
    const lost = Object.entries(drops).map(([reason, count]) => `, ${count} ${reason}`);
    io.out(
      `${workload} over ${plugin.name}, ${ring} rings, virtual time: ` +
        `${delivered} of ${offered} frames${lost.join('')}, ${(pps / 1e6).toFixed(3)} Mpps\n`,
    );
  } finally {
    await plugin.close();
  }
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('a whole number above 0 is needed.');
  return value;
}
