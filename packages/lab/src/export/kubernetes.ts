import { type Role, TLS_FILES } from '@vhostlab/contracts';
import { Document } from 'yaml';
import { TOKEN_FILE } from '../operate/token.ts';
import { IMAGE_USER, LAB_PATH, SECRETS_PATH, SERVICE_PORT } from './export-lab.ts';

const HEALTH = '/vhostlab/packages/cli/bin/health.mjs';
/** A service of the virtual clock is one thread and its arena. */
const RESOURCES = {
  requests: { cpu: '500m', memory: '256Mi' },
  limits: { cpu: '1', memory: '1Gi' },
};
const STOP_GRACE_S = 10;

/** Overlays that an export brings beside its base. */
export const OVERLAYS = ['one-node', 'spread'] as const;

/** What the manifests of a lab say besides its services. */
export interface KubernetesOptions {
  version: string;
  /** Name of the lab, for labels and the names of objects. */
  name: string;
  /** Names of the files in `lab/`: the lab file, and the capture that it replays. */
  labFiles: readonly string[];
}

type Manifest = Record<string, unknown>;

/**
 * Manifests of a lab for kustomize, by path: in `base` a Deployment and a Service per service of the lab and a Job that is
 * the lab and ends with its runs; overlays put everything on one node, or each service on another. Containers have no
 * capability, a read-only root file system, and are not root.
 */
export function kubernetesOf(roles: readonly Role[], options: KubernetesOptions): Map<string, string> {
  const { name } = options;
  const files = new Map<string, string>();
  const write = (path: string, ...manifests: Manifest[]): void => {
    files.set(
      path,
      manifests
        .map((manifest) =>
          new Document(manifest, { aliasDuplicateObjects: false }).toString({ lineWidth: 0 }),
        )
        .join('---\n'),
    );
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
        files: Object.values(TLS_FILES).map((file) => `secrets/${holder}/${file}`),
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
        spec: { template: { spec: { affinity: affinityOf(overlay, name) } } },
      })),
    );
  }
  return files;
}

function affinityOf(overlay: (typeof OVERLAYS)[number], name: string): Manifest {
  const term = {
    labelSelector: { matchLabels: { 'vhostlab.dev/lab': name, 'vhostlab.dev/part': 'service' } },
    topologyKey: 'kubernetes.io/hostname',
  };
  const rule = { requiredDuringSchedulingIgnoredDuringExecution: [term] };
  return overlay === 'one-node' ? { podAffinity: rule } : { podAntiAffinity: rule };
}

function securityOf(): Manifest {
  return {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  };
}

function podSecurity(): Manifest {
  return {
    runAsNonRoot: true,
    runAsUser: IMAGE_USER,
    runAsGroup: IMAGE_USER,
    fsGroup: IMAGE_USER,
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

/** Volumes of a holder of certificates, and where they are mounted. */
function secretsOf(holder: string, name: string): { volumes: Manifest[]; volumeMounts: Manifest[] } {
  return {
    volumes: [
      { name: 'tmp', emptyDir: { sizeLimit: '256Mi' } },
      { name: 'tls', secret: { secretName: `${name}-${holder}-tls`, defaultMode: 0o440 } },
      { name: 'token', secret: { secretName: `${name}-token`, defaultMode: 0o440 } },
    ],
    volumeMounts: [
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'tls', mountPath: `${SECRETS_PATH}/${holder}`, readOnly: true },
      { name: 'token', mountPath: `${SECRETS_PATH}/${TOKEN_FILE}`, subPath: TOKEN_FILE, readOnly: true },
    ],
  };
}

function deploymentOf(role: Role, { name, version }: KubernetesOptions): Manifest {
  const { volumes, volumeMounts } = secretsOf(role, name);
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
              resources: RESOURCES,
              securityContext: securityOf(),
              volumeMounts,
            },
          ],
          volumes,
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
  const { volumes, volumeMounts } = secretsOf('lab', name);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'lab', labels: { 'vhostlab.dev/part': 'lab' } },
    spec: {
      // a run that failed says why; it is not repeated behind the operator's back
      backoffLimit: 0,
      template: {
        metadata: { labels: { 'vhostlab.dev/part': 'lab' } },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: STOP_GRACE_S,
          securityContext: podSecurity(),
          containers: [
            {
              name: 'lab',
              image: `vhostlab/lab:${version}`,
              imagePullPolicy: 'IfNotPresent',
              args: [
                'lab',
                'up',
                `${LAB_PATH}/lab.yaml`,
                '--foreground',
                '--wait',
                '--security',
                SECRETS_PATH,
                '--labs',
                '/tmp/labs',
              ],
              resources: RESOURCES,
              securityContext: securityOf(),
              volumeMounts: [...volumeMounts, { name: 'lab', mountPath: LAB_PATH, readOnly: true }],
            },
          ],
          volumes: [...volumes, { name: 'lab', configMap: { name: `${name}-lab` } }],
        },
      },
    },
  };
}
