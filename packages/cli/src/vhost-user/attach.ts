import type { AttachOptions, AttachReport } from '@vhostlab/vhost-tap';
import type { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { attachReport } from '../attach-report.ts';
import { EXIT_RUN_FAILED } from '../exit-codes.ts';
import type { Io } from '../io.ts';

interface Flags {
  pid: number;
  qmp?: string;
  record?: string;
  interval: number;
  json?: boolean;
}

/** A queue is not healthy: the command ends with status 1. */
class QueuesSick extends Error {
  readonly exitCode = EXIT_RUN_FAILED;

  constructor({ sick, queues }: AttachReport) {
    super(`not healthy: ${sick} queue${sick === 1 ? '' : 's'} of ${queues.length}`);
  }
}

export const examples = [
  [
    'vhostlab vhost-user attach --pid 4711 --qmp /tmp/qmp.sock',
    'a hung guest: indices, pending kicks and calls, who owes the next move',
  ],
] as const;

const HELP = `
Changes nothing: memory is mapped for reading, eventfds are counted in /proc and not
read, QEMU is asked about its own state only. Needs the rights of a debugger: the same
user, or root.

Columns driver and device: flags/event word. Kicks and calls: signals that nobody has
read yet; ? when it is not known which eventfds are the queue's (--record tells).
A "side" as culprit is the peer, or what carries its notifications to the other one.

Exit status: 0 every queue is healthy, 1 one is not, 2 bad usage or nothing to look at.

Examples:
  vhostlab vhost-user attach --pid $(pidof qemu-system-x86_64) --qmp /tmp/qmp.sock
  vhostlab vhost-user attach --pid $(pidof dpdk-testpmd) --record /tmp/tap --json`;

/** Adds `vhostlab vhost-user attach`. */
export function register(group: Command, io: Io): void {
  group
    .command('attach')
    .description(
      "look at the rings of a running QEMU or DPDK process, and say who owes each queue's next move",
    )
    .requiredOption('--pid <pid>', "process with the rings' memory; with --qmp: QEMU", wholeNumber)
    .option('--qmp <socket>', 'QMP socket of a QEMU, 7.2 or newer, that no other client uses')
    .option('--record <dir>', '--out folder of the tap between the peers')
    .option('--interval <ms>', 'time between the two looks, 1 to 60000', wholeNumber, 500)
    .option('--json', 'print the report as one JSON object')
    .addHelpText('after', HELP)
    .action((flags: Flags) => run(io, flags));
}

async function run(io: Io, flags: Flags): Promise<void> {
  const { attach, placeText } = await import('@vhostlab/vhost-tap');
  const report = await attach(attachOptions(flags));
  io.out(flags.json === true ? `${JSON.stringify(report)}\n` : attachReport(report, placeText));
  if (report.sick > 0) throw new QueuesSick(report);
}

function attachOptions({ pid, qmp, record, interval }: Flags): AttachOptions {
  return {
    pid,
    intervalMs: interval,
    ...(qmp === undefined ? {} : { qmp }),
    ...(record === undefined ? {} : { record }),
  };
}
