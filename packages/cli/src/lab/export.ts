import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { WantedLab } from '@vhostlab/lab';
import { Argument, type Command } from 'commander';
import type { Io } from '../io.ts';
import { addVarOption, type LabFlags, readWanted } from '../lab-options.ts';
import { VERSION } from '../version.ts';

const CERTIFICATE_DAYS = 365;

export const examples = [
  [
    'vhostlab lab export compose examples/pvp.lab.yaml --out pvp',
    'a lab as containers, itself in one of them',
  ],
] as const;

interface ExportFlags extends LabFlags {
  out: string;
}

/** Adds `vhostlab lab export`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('export')
    .description('write a lab for containers: a new folder with manifests, certificates and the lab')
    .addArgument(new Argument('<what>', 'for what').choices(['compose', 'kubernetes']))
    .argument('<file>', 'lab file')
    .requiredOption('--out <dir>', 'new folder');
  addVarOption(command).action(async (what: 'compose' | 'kubernetes', file: string, flags: ExportFlags) => {
    const wanted = await readWanted(file, flags);
    await (what === 'compose' ? exportCompose : exportKubernetes)(io, wanted, flags.out);
  });
}

/** Makes the folder with `secrets` and `lab` in `inside`. Throws UsageError when there is nothing to export, or it exists. */
async function makeFolder(wanted: WantedLab, out: string, inside: string) {
  const [lab, { makeCertificates }] = await Promise.all([
    import('@vhostlab/lab'),
    import('@vhostlab/lab/certs'),
  ]);
  const roles = lab.exportedRoles(wanted);
  await makeCertificates(out, CERTIFICATE_DAYS, new Date());
  // the folder is new, and what was put into it are the secrets
  const secrets = `${out}.secrets`;
  renameSync(out, secrets);
  mkdirSync(join(out, inside), { recursive: true, mode: 0o755 });
  renameSync(secrets, join(out, inside, 'secrets'));
  mkdirSync(join(out, inside, 'lab'));
  lab.writeExportedLab(wanted, join(out, inside, 'lab'));
  return { lab, roles };
}

async function exportCompose(io: Io, wanted: WantedLab, out: string): Promise<void> {
  const { lab, roles } = await makeFolder(wanted, out, '.');
  mkdirSync(join(out, 'labs'));
  for (const name of ['secrets', 'lab', 'labs']) lab.giveToContainers(join(out, name));
  const { name } = wanted.description;
  const files = lab.composeFilesOf(roles, { version: VERSION, name });
  for (const [path, text] of files) writeFileSync(join(out, path), text);
  io.out(
    `${out}: ${[...files.keys()].join(', ')}, lab/lab.yaml, secrets; start it there with docker-compose up -d\n`,
  );
}

async function exportKubernetes(io: Io, wanted: WantedLab, out: string): Promise<void> {
  const { lab, roles } = await makeFolder(wanted, out, 'base');
  const { name } = wanted.description;
  new lab.LabFolder('.', name);
  const labFiles = readdirSync(join(out, 'base/lab')).sort();
  const files = lab.kubernetesOf(roles, { version: VERSION, name: name.replaceAll('_', '-'), labFiles });
  for (const [path, text] of files) {
    mkdirSync(dirname(join(out, path)), { recursive: true });
    writeFileSync(join(out, path), text);
  }
  io.out(`${out}: base and overlays ${lab.OVERLAYS.join(', ')}; kubectl apply -k ${out}/overlays/one-node\n`);
}
