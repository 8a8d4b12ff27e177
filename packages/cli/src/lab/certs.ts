import { type Command, InvalidArgumentError } from 'commander';
import { wholeNumber } from '../arguments.ts';
import type { Io } from '../io.ts';

export const examples = [
  ['vhostlab lab certs certs', "a lab's token, and certificates for services at TCP addresses"],
] as const;

const MAX_DAYS = 3650;

/** Adds `vhostlab lab certs`. */
export function register(group: Command, io: Io): void {
  group
    .command('certs')
    .description('make the token of a lab, and a certificate for each service and for the lab')
    .argument('<dir>', 'new folder for them')
    .option('--days <n>', 'how long they are valid', daysOf, 365)
    .action(async (folder: string, { days }: { days: number }) => {
      const { makeCertificates } = await import('@vhostlab/lab/certs');
      const files = await makeCertificates(folder, days, new Date());
      io.out(`${files.map((file) => `${folder}/${file}`).join('\n')}\n`);
    });
}

function daysOf(text: string): number {
  const days = wholeNumber(text);
  if (days < 1 || days > MAX_DAYS) throw new InvalidArgumentError(`1 to ${MAX_DAYS} days are needed`);
  return days;
}
