import { join } from 'node:path';
import { Deployment } from 'kubernetes-models/apps/v1';
import { Job } from 'kubernetes-models/batch/v1';
import { Service } from 'kubernetes-models/v1';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kubernetesOf, OVERLAYS, ROLES } from '../src/index.ts';

interface Manifest {
  kind: string;
  metadata: { name: string };
  spec: { template: { spec: { containers: Record<string, unknown>[] } } };
}

const files = kubernetesOf(ROLES, { version: '1.2.3', name: 'box', labFiles: ['lab.yaml'] });
const objects = (path: string) =>
  parseAllDocuments(files.get(path) ?? '').map((document) => document.toJS() as Manifest);

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
  const manifests = [...ROLES.map((role) => `base/${role}.yaml`), 'base/lab.yaml'].flatMap(objects);

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
    expect(strictErrors(manifests)).toEqual([]);
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
});
