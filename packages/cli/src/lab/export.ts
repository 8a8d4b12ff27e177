import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { HugePages, SweepPoint, WantedLab } from '@vhostlab/lab';
import { Argument, type Command } from 'commander';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';
import { exportReal } from '../lab-export-real.ts';
import { addVarOption, type LabFlags, readWanted } from '../lab-options.ts';
import { VERSION } from '../version.ts';

const CERTIFICATE_DAYS = 365;

export const examples = [
  [
    'vhostlab lab export compose examples/pvp.lab.yaml --out pvp',
    'a lab as containers, itself in one of them',
  ],
  [
    'vhostlab lab export kubernetes examples/pvp.lab.yaml --sweep packets=1000,2000 --out pvp',
    'manifests, and a Job for each value',
  ],
] as const;

interface ExportFlags extends LabFlags {
  out: string;
  sweep?: Record<string, string[]>;
  hugepages?: number;
}

/** Adds `vhostlab lab export`. */
export function register(group: Command, io: Io): void {
  const command = group
    .command('export')
    .description('write a lab for containers: a new folder with manifests, certificates and the lab')
    .addArgument(new Argument('<what>', 'for what').choices(['compose', 'kubernetes']))
    .argument('<file>', 'lab file')
    .requiredOption('--out <dir>', 'new folder')
    .option(
      '--sweep <name=values>',
      'also a lab for each value of a variable, such as packets=100,200; repeat for all combinations',
      keepSweep,
    )
    .option(
      '--hugepages <MiB>',
      'kubernetes: memory of guest and back end on huge pages of the size that the guests have',
      (text: string) => positive('--hugepages', text),
    );
  addVarOption(command).action(async (what: 'compose' | 'kubernetes', file: string, flags: ExportFlags) => {
    const wanted = await readWanted(file, flags);
    const { real, name } = wanted.description;
    if (real !== undefined) {
      if (what === 'kubernetes' || flags.sweep !== undefined || flags.hugepages !== undefined) {
        throw new OperatorError(
          `${file} is a lab of real programs (time: {clock: real}), which share memory on one machine; of these, export compose alone makes containers, of our back ends`,
        );
      }
      await exportReal(io, name, real, flags.out);
      return;
    }
    const points = await pointsOf(file, flags, wanted);
    if (what === 'compose') await exportCompose(io, wanted, flags, points);
    else await exportKubernetes(io, wanted, flags, points);
  });
}

function keepSweep(text: string, before: Record<string, string[]> = {}): Record<string, string[]> {
  const at = text.indexOf('=');
  if (at < 1) throw new OperatorError(`--sweep: "${text}" is not name=value,value`);
  return { ...before, [text.slice(0, at)]: text.slice(at + 1).split(',') };
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!/^\d{1,7}$/.test(text) || value === 0) {
    throw new OperatorError(`${flag}: "${text}" is no number of MiB; write a whole number such as 512`);
  }
  return value;
}

/** The labs of a sweep, each read and checked; none without `--sweep`. */
async function pointsOf(file: string, flags: ExportFlags, wanted: WantedLab): Promise<SweepPoint[]> {
  if (flags.sweep === undefined) return [];
  const lab = await import('@vhostlab/lab');
  lab.checkSweep(wanted);
  const points = lab.sweepPoints(flags.sweep);
  for (const { vars } of points) await readWanted(file, { ...flags, var: { ...flags.var, ...vars } });
  return points;
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

async function exportCompose(
  io: Io,
  wanted: WantedLab,
  { out, hugepages }: ExportFlags,
  points: readonly SweepPoint[],
): Promise<void> {
  if (hugepages !== undefined) throw new OperatorError('--hugepages: for kubernetes only');
  const { lab, roles } = await makeFolder(wanted, out, '.');
  const { name } = wanted.description;
  mkdirSync(join(out, 'labs'));
  const files = lab.composeFilesOf(roles, { version: VERSION, name });
  if (points.length > 0) {
    files.set('docker-compose.sweep.yml', lab.composeSweepOf(points, { version: VERSION, name }));
    mkdirSync(join(out, 'sweep'));
    lab.writeExportedLab(wanted, join(out, 'sweep'), 'embedded');
    for (const point of points) mkdirSync(join(out, 'labs', point.name));
    lab.giveToContainers(join(out, 'sweep'));
  }
  for (const folder of ['secrets', 'lab', 'labs']) lab.giveToContainers(join(out, folder));
  for (const [path, text] of files) writeFileSync(join(out, path), text);
  io.out(
    `${out}: ${[...files.keys()].join(', ')}, lab/lab.yaml, secrets; start it there with docker-compose up -d\n`,
  );
}

async function exportKubernetes(
  io: Io,
  wanted: WantedLab,
  { out, hugepages }: ExportFlags,
  points: readonly SweepPoint[],
): Promise<void> {
  const hugePages = hugePagesOf(wanted, hugepages);
  const { lab, roles } = await makeFolder(wanted, out, 'base');
  const { name: labName, topology } = wanted.description;
  new lab.LabFolder('.', labName);
  const name = labName.replaceAll('_', '-');
  const filesIn = (folder: string): string[] => readdirSync(join(out, folder)).sort();
  const files = lab.kubernetesOf(roles, {
    version: VERSION,
    name,
    labFiles: filesIn('base/lab'),
    links: lab.linkedRoles(topology),
    ...(hugePages === undefined ? {} : { hugePages }),
  });
  if (points.length > 0) {
    mkdirSync(join(out, 'overlays/sweep/lab'), { recursive: true });
    lab.writeExportedLab(wanted, join(out, 'overlays/sweep/lab'), 'embedded');
    const labFiles = filesIn('overlays/sweep/lab');
    for (const [path, text] of lab.kubernetesSweepOf(points, { name, version: VERSION, labFiles })) {
      files.set(path, text);
    }
  }
  for (const [path, text] of files) {
    mkdirSync(dirname(join(out, path)), { recursive: true });
    writeFileSync(join(out, path), text);
  }
  const overlays = [...lab.OVERLAYS, ...(points.length === 0 ? [] : ['sweep'])];
  io.out(`${out}: base and overlays ${overlays.join(', ')}; kubectl apply -k ${out}/overlays/one-node\n`);
}

/** Memory on huge pages as manifests ask for it. Throws OperatorError when the guests have small pages, or for part of a page. */
function hugePagesOf({ description }: WantedLab, mebibytes: number | undefined): HugePages | undefined {
  if (mebibytes === undefined) return undefined;
  const page = description.options.pages ?? '2M';
  if (page === '4K') {
    throw new OperatorError('--hugepages: the guests of this lab have pages of 4K; set pages to 2M or 1G');
  }
  if (mebibytes % (page === '1G' ? 1024 : 2) !== 0) {
    throw new OperatorError(`--hugepages: ${mebibytes} MiB is no multiple of the page size ${page}`);
  }
  return { page, mebibytes };
}
