import { Document } from 'yaml';
import type { WantedLab } from '../operate/state.ts';
import { UsageError } from '../scenario/options.ts';
import { hardened } from './compose.ts';
import { LAB_PATH } from './export-lab.ts';
import { manifestText } from './kubernetes.ts';
import { labJob } from './pod.ts';

/** Most labs of one sweep. */
const MAX_POINTS = 256;

/** One lab of a sweep: the values of its variables, and a name made of them. */
export interface SweepPoint {
  /** Fit for objects of Kubernetes, and unique in the sweep: `1-packets-100`. */
  name: string;
  vars: Readonly<Record<string, string>>;
}

/**
 * All combinations of the values of variables, the last variable fastest. Throws UsageError for none, and for more than
 * 256.
 */
export function sweepPoints(sweeps: Readonly<Record<string, readonly string[]>>): SweepPoint[] {
  let all: Record<string, string>[] = [{}];
  for (const [name, values] of Object.entries(sweeps)) {
    if (values.length === 0 || values.some((value) => value === '')) {
      throw new UsageError(`--sweep: ${name} has no value, or an empty one; write ${name}=10,20,30`);
    }
    if (all.length * values.length > MAX_POINTS) {
      throw new UsageError(`--sweep: that is more than ${MAX_POINTS} labs; sweep over fewer values`);
    }
    all = all.flatMap((vars) => values.map((value) => ({ ...vars, [name]: value })));
  }
  return all.map((vars, i) => {
    const words = Object.entries(vars).flat().join('-').toLowerCase();
    const text = words.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, '');
    return { name: `${i + 1}-${text}`.slice(0, 40).replace(/-+$/, ''), vars };
  });
}

/** Refuses a lab that cannot be run many times at once: one service at an address takes part in one run. */
export function checkSweep({ description }: WantedLab): void {
  for (const { name, placement } of description.topology.nodes) {
    if (placement.how === 'endpoint') {
      throw new UsageError(
        `--sweep: ${name} is run by others at ${placement.address}, for one lab at a time; place it as process or container`,
      );
    }
  }
}

function varOptions({ vars }: SweepPoint): string[] {
  return Object.entries(vars).flatMap(([name, value]) => ['--var', `${name}=${value}`]);
}

/** A compose file whose services are whole labs, one for each point; each may talk to nobody. */
export function composeSweepOf(
  points: readonly SweepPoint[],
  { name, version }: { name: string; version: string },
): string {
  const services = Object.fromEntries(
    points.map((point) => [
      point.name,
      {
        ...hardened(name),
        image: `vhostlab/lab:${version}`,
        command: [
          'lab',
          'up',
          `${LAB_PATH}/lab.yaml`,
          '--foreground',
          '--wait',
          ...varOptions(point),
          '--labs',
          '/labs',
        ],
        volumes: [`./sweep:${LAB_PATH}:ro`, `./labs/${point.name}:/labs`],
        network_mode: 'none',
        cpus: 1,
      },
    ]),
  );
  const document = new Document({ version: '2.4', services }, { aliasDuplicateObjects: false });
  document.commentBefore = ` ${points.length} labs, each in a container of its own, written by vhostlab lab export compose --sweep.`;
  return document.toString({ lineWidth: 0 });
}

/** The kustomize overlay `sweep`, by path: a Job per point, each a whole lab in one container. */
export function kubernetesSweepOf(
  points: readonly SweepPoint[],
  { name, version, labFiles }: { name: string; version: string; labFiles: readonly string[] },
): Map<string, string> {
  const config = `${name}-sweep`;
  const jobs = points.map((point) =>
    labJob({
      name: `sweep-${point.name}`,
      labels: { 'vhostlab.dev/part': 'sweep', 'vhostlab.dev/point': point.name },
      image: `vhostlab/lab:${version}`,
      options: varOptions(point),
      volumes: [{ name: 'tmp', emptyDir: { sizeLimit: '256Mi' } }],
      volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
      config,
    }),
  );
  return new Map([
    ['overlays/sweep/jobs.yaml', manifestText(jobs)],
    [
      'overlays/sweep/kustomization.yaml',
      manifestText([
        {
          apiVersion: 'kustomize.config.k8s.io/v1beta1',
          kind: 'Kustomization',
          commonLabels: { 'app.kubernetes.io/part-of': 'vhostlab', 'vhostlab.dev/lab': name },
          resources: ['jobs.yaml'],
          configMapGenerator: [{ name: config, files: labFiles.map((file) => `lab/${file}`) }],
        },
      ]),
    ],
  ]);
}
