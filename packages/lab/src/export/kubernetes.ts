import type { Role } from '@vhostlab/contracts';
import { Document } from 'yaml';
import { TOKEN_FILE } from '../operate/token.ts';
import { type LinkedRoles, linkAffinity, OVERLAYS, overlayAffinity } from './affinity.ts';
import { SECRETS_PATH, SERVICE_PORT } from './export-lab.ts';
import {
  type HugePages,
  hugeVolumesOf,
  labJob,
  type Manifest,
  podSecurity,
  resourcesOf,
  STOP_GRACE_S,
  secretFiles,
  secretsOf,
  securityOf,
} from './pod.ts';

const HEALTH = '/vhostlab/packages/cli/bin/health.mjs';

/** What the manifests of a lab say besides its services. */
export interface KubernetesOptions {
  version: string;
  /** Name of the lab, for labels and the names of objects. */
  name: string;
  /** Names of the files in `lab/`: the lab file, and the capture that it replays. */
  labFiles: readonly string[];
  /** Services that are joined by links; none unless said otherwise. */
  links?: readonly LinkedRoles[];
  /** Memory on huge pages; none unless said otherwise. */
  hugePages?: HugePages;
}

/**
 * Manifests of a lab for kustomize, by path: in `base` a Deployment and a Service per service of the lab and a Job that is
 * the lab and ends with its runs; overlays put everything on one node, or each service on another. Containers have no
 * capability, a read-only root file system, and are not root.
 */
export function kubernetesOf(roles: readonly Role[], options: KubernetesOptions): Map<string, string> {
  const { name } = options;
  const files = new Map<string, string>();
  const write = (path: string, ...manifests: Manifest[]): void => {
    files.set(path, manifestText(manifests));
  };
  for (const role of roles) write(`base/${role}.yaml`, deploymentOf(role, options), serviceOf(role, name));
  write('base/lab.yaml', jobOf(options));
  write('base/kustomization.yaml', {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    commonLabels: { 'app.kubernetes.io/part-of': 'vhostlab', 'vhostlab.dev/lab': name },
    resources: [...roles.map((role) => `${role}.yaml`), 'lab.yaml'],
    configMapGenerator: [{ name: `${name}-lab`, files: options.labFiles.map((file) => `lab/${file}`) }],
    secretGenerator: [
      ...[...roles, 'lab'].map((holder) => ({
        name: `${name}-${holder}-tls`,
        files: secretFiles(holder),
        type: 'Opaque',
      })),
      { name: `${name}-token`, files: [`secrets/${TOKEN_FILE}`], type: 'Opaque' },
    ],
  });
  for (const overlay of OVERLAYS) {
    write(`overlays/${overlay}/kustomization.yaml`, {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      bases: ['../../base'],
      patchesStrategicMerge: ['affinity.yaml'],
    });
    write(
      `overlays/${overlay}/affinity.yaml`,
      ...roles.map((role) => ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: role },
        spec: { template: { spec: { affinity: overlayAffinity(overlay, name) } } },
      })),
    );
  }
  return files;
}

/** Manifests as one YAML stream. */
export function manifestText(manifests: readonly Manifest[]): string {
  return manifests
    .map((manifest) => new Document(manifest, { aliasDuplicateObjects: false }).toString({ lineWidth: 0 }))
    .join('---\n');
}

function deploymentOf(role: Role, { name, version, links = [], hugePages }: KubernetesOptions): Manifest {
  const secrets = secretsOf(role, name);
  const huge = hugeVolumesOf(role, hugePages);
  const affinity = linkAffinity(role, links, name, hugePages !== undefined);
  const command = ['node', HEALTH, `127.0.0.1:${SERVICE_PORT}`, role, `${SECRETS_PATH}/${role}`];
  const labels = { 'vhostlab.dev/part': 'service', 'vhostlab.dev/service': role };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: role, labels },
    spec: {
      replicas: 1,
      // a second one beside the first would be a stranger to the run
      strategy: { type: 'Recreate' },
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: STOP_GRACE_S,
          securityContext: podSecurity(),
          ...(affinity === undefined ? {} : { affinity }),
          containers: [
            {
              name: role,
              image: `vhostlab/${role}:${version}`,
              imagePullPolicy: 'IfNotPresent',
              args: [
                '--listen',
                `0.0.0.0:${SERVICE_PORT}`,
                '--tls',
                `${SECRETS_PATH}/${role}`,
                '--token-file',
                `${SECRETS_PATH}/${TOKEN_FILE}`,
              ],
              ports: [{ name: 'grpc', containerPort: SERVICE_PORT }],
              startupProbe: { exec: { command }, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 30 },
              readinessProbe: { exec: { command }, periodSeconds: 5, timeoutSeconds: 5 },
              livenessProbe: {
                exec: { command },
                periodSeconds: 20,
                timeoutSeconds: 10,
                failureThreshold: 6,
              },
              resources: resourcesOf(role, hugePages),
              securityContext: securityOf(),
              volumeMounts: [...secrets.volumeMounts, ...huge.volumeMounts],
            },
          ],
          volumes: [...secrets.volumes, ...huge.volumes],
        },
      },
    },
  };
}

function serviceOf(role: Role, name: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: role },
    spec: {
      selector: { 'vhostlab.dev/lab': name, 'vhostlab.dev/service': role },
      ports: [{ name: 'grpc', port: SERVICE_PORT, targetPort: 'grpc' }],
    },
  };
}

function jobOf({ name, version }: KubernetesOptions): Manifest {
  return labJob({
    name: 'lab',
    labels: { 'vhostlab.dev/part': 'lab' },
    image: `vhostlab/lab:${version}`,
    options: ['--security', SECRETS_PATH],
    ...secretsOf('lab', name),
    config: `${name}-lab`,
  });
}
