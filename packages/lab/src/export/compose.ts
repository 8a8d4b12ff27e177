import type { Role } from '@vhostlab/contracts';
import { Document } from 'yaml';
import { containerUser, LAB_PATH, SECRETS_PATH, SERVICE_PORT } from './export-lab.ts';
import { OBSERVABILITY_NETWORKS, observabilityServices, SPANS_ENVIRONMENT } from './observability.ts';

const HEALTH = '/vhostlab/packages/cli/bin/health.mjs';
const STOP_GRACE = '10s';

/** What the compose file of a lab says besides its services. */
export interface ComposeOptions {
  /** Version of the images. */
  version: string;
  /** Name of the lab, for labels. */
  name: string;
  /** A container for the lab itself, which runs it, and the profile `observability`. */
  withLab: boolean;
  /** More labels of containers and networks. */
  labels?: Readonly<Record<string, string>>;
}

/** What every container of a lab has: an ordinary user, and nothing that it may do but run. */
export function hardened(
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Record<string, unknown> {
  const { uid, gid } = containerUser();
  return {
    user: `${uid}:${gid}`,
    read_only: true,
    tmpfs: ['/tmp:mode=1777,size=256m'],
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    stop_grace_period: STOP_GRACE,
    labels: { 'dev.vhostlab.lab': name, ...labels },
  };
}

/**
 * The compose file (version 2.4, docker-compose 1.29 and later) of a lab: a container per service without any
 * capability, root file system read-only, not as root; health from `grpc.health.v1`; certificates and token read-only.
 * Services meet on the network `links`; the lab reaches them on `control`.
 */
export function composeOf(roles: readonly Role[], options: ComposeOptions): string {
  const common = hardened(options.name, options.labels);
  const services: Record<string, unknown> = {};
  const spans = options.withLab ? { environment: SPANS_ENVIRONMENT } : {};
  for (const role of roles) {
    services[role] = {
      ...common,
      ...spans,
      image: `vhostlab/${role}:${options.version}`,
      command: [
        '--listen',
        `0.0.0.0:${SERVICE_PORT}`,
        '--tls',
        `${SECRETS_PATH}/${role}`,
        '--token-file',
        `${SECRETS_PATH}/token`,
      ],
      volumes: [`./secrets/${role}:${SECRETS_PATH}/${role}:ro`, `./secrets/token:${SECRETS_PATH}/token:ro`],
      networks: ['links', 'control'],
      expose: [String(SERVICE_PORT)],
      healthcheck: {
        test: ['CMD', 'node', HEALTH, `127.0.0.1:${SERVICE_PORT}`, role, `${SECRETS_PATH}/${role}`],
        interval: '2s',
        timeout: '5s',
        retries: 30,
      },
    };
  }
  if (options.withLab) {
    services.lab = {
      ...common,
      ...spans,
      image: `vhostlab/lab:${options.version}`,
      command: [
        'lab',
        'up',
        `${LAB_PATH}/lab.yaml`,
        '--foreground',
        '--security',
        SECRETS_PATH,
        '--labs',
        '/labs',
      ],
      volumes: [
        `./lab:${LAB_PATH}:ro`,
        './labs:/labs',
        `./secrets/lab:${SECRETS_PATH}/lab:ro`,
        `./secrets/token:${SECRETS_PATH}/token:ro`,
      ],
      networks: ['control'],
      depends_on: Object.fromEntries(roles.map((role) => [role, { condition: 'service_healthy' }])),
    };
    Object.assign(services, observabilityServices(common));
  }
  const networkLabels = options.labels === undefined ? {} : { labels: options.labels };
  const networks = {
    links: { internal: true, ...networkLabels },
    control: { internal: true, ...networkLabels },
    ...(options.withLab ? OBSERVABILITY_NETWORKS : {}),
  };
  const document = new Document({ version: '2.4', services, networks }, { aliasDuplicateObjects: false });
  document.commentBefore = ` Lab ${options.name}, written by vhostlab lab export compose; change the lab file and export again.`;
  return document.toString({ lineWidth: 0 });
}
