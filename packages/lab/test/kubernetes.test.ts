import { join } from 'node:path';
import { Deployment } from 'kubernetes-models/apps/v1';
import { Job } from 'kubernetes-models/batch/v1';
import { Service } from 'kubernetes-models/v1';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import {
  kubernetesOf,
  kubernetesSweepOf,
  linkedRoles,
  OVERLAYS,
  ROLES,
  sweepPoints,
  UsageError,
} from '../src/index.ts';

interface Manifest {
  kind: string;
  metadata: { name: string };
  spec: { template: { spec: { containers: Record<string, unknown>[] } } };
}

const topology = {
  nodes: ROLES.map((kind) => ({
    name: `${kind}0`,
    kind,
    placement: { how: 'container' as const },
    settings: {},
  })),
  links: [
    ['guest0:vq', 'backend0:vq'],
    ['backend0:upcall', 'switch0:upcall'],
    ['backend0:nic', 'nic0:host'],
    ['nic0:wire', 'station:wire'],
  ] as const,
};
const OPTIONS = { version: '1.2.3', name: 'box', labFiles: ['lab.yaml'], links: linkedRoles(topology) };
const POINTS = sweepPoints({ packets: ['100', '2_000'], seed: ['1', '2'] });
const files = new Map([...kubernetesOf(ROLES, OPTIONS), ...kubernetesSweepOf(POINTS, OPTIONS)]);
const huge = kubernetesOf(ROLES, { ...OPTIONS, hugePages: { page: '2M', mebibytes: 512 } });
const objects = (path: string, from = files) =>
  parseAllDocuments(from.get(path) ?? '').map((document) => document.toJS() as Manifest);

/** Errors of the compiler when each manifest is given to the model's type as a literal: unknown keys are errors, too. */
function strictErrors(all: readonly Manifest[]): string[] {
  const file = join(import.meta.dirname, 'manifests.virtual.ts');
  const text = `import type { IDeployment } from 'kubernetes-models/apps/v1';
import type { IJob } from 'kubernetes-models/batch/v1';
import type { IService } from 'kubernetes-models/v1';
export const all = [
${all.map((manifest) => `${JSON.stringify(manifest)} satisfies I${manifest.kind},`).join('\n')}
];`;
  const options = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    module: ts.ModuleKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.getSourceFile = (name, ...more) =>
    name === file ? ts.createSourceFile(name, text, ts.ScriptTarget.ESNext) : getSourceFile(name, ...more);
  host.fileExists = (name) => name === file || fileExists(name);
  const program = ts.createProgram([file], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}

/** Types, required keys and values. */
function validate(manifest: Manifest): void {
  const known = { Deployment, Job, Service } as Record<string, new (data: never) => { validate(): void }>;
  new known[manifest.kind](manifest as never).validate();
}

describe('manifests', () => {
  const manifests = [...ROLES.map((role) => `base/${role}.yaml`), 'base/lab.yaml'].flatMap((path) =>
    objects(path),
  );

  it('are a Deployment and a Service per service, and the Job of the lab', () => {
    expect(manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      ...ROLES.flatMap((role) => [`Deployment ${role}`, `Service ${role}`]),
      'Job lab',
    ]);
  });

  it.each(manifests.map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, manifest] as const))(
    '%s holds against the schema of Kubernetes',
    (_, manifest) => {
      validate(manifest);
      expect(() => validate({ ...manifest, spec: 'none' as never })).toThrow();
    },
  );

  it('have no key that Kubernetes does not know', () => {
    const others = [
      ...objects('overlays/sweep/jobs.yaml'),
      ...ROLES.flatMap((role) => objects(`base/${role}.yaml`, huge)),
    ];
    for (const manifest of others) validate(manifest);
    expect(strictErrors([...manifests, ...others])).toEqual([]);
    const [first] = manifests;
    const wrong = { ...first, spec: { ...first.spec, replicaz: 1 } };
    expect(strictErrors([wrong])).toEqual([expect.stringMatching(/replicaz.* does not exist in type/)]);
  });

  it('let containers do nothing that they need not', () => {
    for (const { kind, spec } of manifests) {
      if (kind === 'Service') continue;
      expect(spec.template.spec).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true },
      });
      for (const container of spec.template.spec.containers) {
        expect(container).toMatchObject({
          image: expect.stringMatching(/^vhostlab\/\w+:1\.2\.3$/),
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          resources: { limits: { cpu: '1', memory: '1Gi' } },
        });
        if (kind === 'Deployment') {
          for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'])
            expect(container).toHaveProperty(probe);
        }
      }
    }
  });

  it('have overlays that say where services go', () => {
    const [one, spread] = OVERLAYS.map((overlay) => files.get(`overlays/${overlay}/affinity.yaml`) ?? '');
    expect(one.match(/podAffinity/g)).toHaveLength(4);
    expect(spread.match(/podAntiAffinity/g)).toHaveLength(4);
  });

  it('put services near those that they have links to', () => {
    const affinity = (role: string, from = files) =>
      (
        objects(`base/${role}.yaml`, from)[0] as never as {
          spec: { template: { spec: { affinity: unknown } } };
        }
      ).spec.template.spec.affinity;
    const near = (service: string, weight: number) => ({
      weight,
      podAffinityTerm: {
        labelSelector: { matchLabels: { 'vhostlab.dev/lab': 'box', 'vhostlab.dev/service': service } },
        topologyKey: 'kubernetes.io/hostname',
      },
    });
    expect(affinity('backend')).toEqual({
      podAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          near('guest', 100),
          near('switch', 50),
          near('nic', 50),
        ],
      },
    });
    expect(affinity('switch')).toEqual({
      podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [near('backend', 50)] },
    });
    // a guest whose memory is shared runs where its back end does, which itself waits for nobody
    expect(affinity('guest', huge)).toEqual({
      podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near('backend', 1).podAffinityTerm] },
    });
    expect(JSON.stringify(affinity('backend', huge))).not.toContain('required');
  });

  it('ask for huge pages where a guest has its memory, and for nothing of the kind unless told', () => {
    expect([...files.values()].join()).not.toContain('hugepages');
    for (const role of ROLES) {
      const { volumes, containers } = objects(`base/${role}.yaml`, huge)[0].spec.template.spec as never as {
        volumes: { name: string; emptyDir?: unknown }[];
        containers: {
          resources: { requests: object; limits: object };
          volumeMounts: { mountPath: string }[];
        }[];
      };
      const [{ resources, volumeMounts }] = containers;
      const has = role === 'guest' || role === 'backend';
      expect(volumeMounts.some(({ mountPath }) => mountPath === '/dev/hugepages')).toBe(has);
      expect(volumes.find(({ name }) => name === 'hugepages')?.emptyDir).toEqual(
        has ? { medium: 'HugePages-2Mi' } : undefined,
      );
      if (has) {
        expect(resources.limits).toEqual({ cpu: '1', memory: '1Gi', 'hugepages-2Mi': '512Mi' });
        expect(resources.requests).toEqual(resources.limits);
      } else expect(resources.limits).not.toHaveProperty('hugepages-2Mi');
    }
  });
});

describe('a sweep', () => {
  it('is a Job for each combination of values, which is a lab of its own', () => {
    const jobs = objects('overlays/sweep/jobs.yaml');
    expect(jobs.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'Job sweep-1-packets-100-seed-1',
      'Job sweep-2-packets-100-seed-2',
      'Job sweep-3-packets-2-000-seed-1',
      'Job sweep-4-packets-2-000-seed-2',
    ]);
    const [container] = jobs[3].spec.template.spec.containers;
    expect(container.args).toEqual(expect.arrayContaining(['--var', 'packets=2_000', 'seed=2', '--wait']));
  });

  it('is refused without values, and when it is too large', () => {
    expect(() => sweepPoints({ packets: [''] })).toThrow(/^--sweep: packets has no value/);
    const many = Array.from({ length: 17 }, (_, i) => String(i));
    expect(() => sweepPoints({ a: many, b: many })).toThrow(UsageError);
    expect(new Set(sweepPoints({ a: many, b: ['x'.repeat(60)] }).map(({ name }) => name)).size).toBe(17);
  });
});
