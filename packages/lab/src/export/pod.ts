import { type Role, TLS_FILES } from '@vhostlab/contracts';
import type { PageSize } from '@vhostlab/workload';
import { TOKEN_FILE } from '../operate/token.ts';
import { IMAGE_USER, LAB_PATH, SECRETS_PATH } from './export-lab.ts';

/** A manifest of Kubernetes, or a part of one. */
export type Manifest = Record<string, unknown>;

/** Seconds that a pod may take to end. */
export const STOP_GRACE_S = 10;

const HUGEPAGES_PATH = '/dev/hugepages';
/** Services that have or map the memory of a guest. */
const HAVE_GUEST_MEMORY: readonly Role[] = ['guest', 'backend'];

/** Memory on huge pages that the services with a guest's memory ask for. */
export interface HugePages {
  page: Exclude<PageSize, '4K'>;
  /** MiB; a multiple of the page. */
  mebibytes: number;
}

/** A service of the virtual clock is one thread and its arena. */
export const RESOURCES: Record<'requests' | 'limits', Record<string, string>> = {
  requests: { cpu: '500m', memory: '256Mi' },
  limits: { cpu: '1', memory: '1Gi' },
};

/** What a service may use; one that maps huge pages gets them, and whole processors of its own (requests equal limits). */
export function resourcesOf(role: Role, huge: HugePages | undefined): Manifest {
  if (huge === undefined || !HAVE_GUEST_MEMORY.includes(role)) return RESOURCES;
  const all = { ...RESOURCES.limits, [`hugepages-${huge.page}i`]: `${huge.mebibytes}Mi` };
  return { requests: all, limits: all };
}

/** Volumes of huge pages of a service, and where they are mounted. */
export function hugeVolumesOf(
  role: Role,
  huge: HugePages | undefined,
): { volumes: Manifest[]; volumeMounts: Manifest[] } {
  if (huge === undefined || !HAVE_GUEST_MEMORY.includes(role)) return { volumes: [], volumeMounts: [] };
  return {
    volumes: [{ name: 'hugepages', emptyDir: { medium: `HugePages-${huge.page}i` } }],
    volumeMounts: [{ name: 'hugepages', mountPath: HUGEPAGES_PATH }],
  };
}

/** What a container may not do. */
export function securityOf(): Manifest {
  return {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  };
}

/** Who a pod is. */
export function podSecurity(): Manifest {
  return {
    runAsNonRoot: true,
    runAsUser: IMAGE_USER,
    runAsGroup: IMAGE_USER,
    fsGroup: IMAGE_USER,
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

/** Volumes of a holder of certificates, and where they are mounted. */
export function secretsOf(holder: string, name: string): { volumes: Manifest[]; volumeMounts: Manifest[] } {
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

/** Files of a holder of certificates below the folder of the secrets. */
export function secretFiles(holder: string): string[] {
  return Object.values(TLS_FILES).map((file) => `secrets/${holder}/${file}`);
}

/** What a Job of a lab has besides its name and how it finds its services. */
export interface LabJob {
  name: string;
  labels: Record<string, string>;
  image: string;
  /** Options of `lab up` besides the file. */
  options: readonly string[];
  volumes: Manifest[];
  volumeMounts: Manifest[];
  /** Name of the ConfigMap with the lab file. */
  config: string;
}

/** A Job that is a lab and ends with its runs. */
export function labJob({ name, labels, image, options, volumes, volumeMounts, config }: LabJob): Manifest {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, labels },
    spec: {
      // a run that failed says why; it is not repeated behind the operator's back
      backoffLimit: 0,
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: STOP_GRACE_S,
          securityContext: podSecurity(),
          containers: [
            {
              name: 'lab',
              image,
              imagePullPolicy: 'IfNotPresent',
              args: [
                'lab',
                'up',
                `${LAB_PATH}/lab.yaml`,
                '--foreground',
                '--wait',
                ...options,
                '--labs',
                '/tmp/labs',
              ],
              resources: RESOURCES,
              securityContext: securityOf(),
              volumeMounts: [...volumeMounts, { name: 'lab', mountPath: LAB_PATH, readOnly: true }],
            },
          ],
          volumes: [...volumes, { name: 'lab', configMap: { name: config } }],
        },
      },
    },
  };
}
