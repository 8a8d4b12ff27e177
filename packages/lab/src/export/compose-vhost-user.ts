import { Document } from 'yaml';
import { hardened } from './compose.ts';
import { containerUser } from './export-lab.ts';

/** Folder of the sockets in every container. */
export const SOCKETS_PATH = '/run/vhost-user';

/** Profile with a front end of ours for each socket. */
export const MEASURE = 'measure';

/** One of our vhost-user back ends. */
export interface ContainedBackend {
  name: string;
  /** File names of its sockets, one for each device. */
  sockets: readonly string[];
  /** Options of `vhostlab vhost-user backend` besides the sockets. */
  options: readonly string[];
  /** It sends back what it is sent, so that a front end can check every frame. */
  isEcho: boolean;
}

/** Frames of a front end of the profile, and its huge pages if it shall have some. */
export interface Measuring {
  packets: number;
  hugePages?: '2M' | '1G';
}

/**
 * A compose file of vhost-user back ends on the real clock: containers without network, capabilities or root, and a volume
 * for their sockets that belongs to the same user. Memory comes through a socket with the front end's descriptors, so no
 * container has a mount of it, nor of huge pages. The profile `measure` has a front end of ours for every socket.
 */
export function composeVhostUserOf(
  backends: readonly ContainedBackend[],
  { name, version }: { name: string; version: string },
  { packets, hugePages }: Measuring,
): string {
  const { uid, gid } = containerUser();
  const common = {
    ...hardened(name),
    image: `vhostlab/lab:${version}`,
    network_mode: 'none',
    volumes: [`sockets:${SOCKETS_PATH}`],
  };
  const services: Record<string, unknown> = {};
  for (const { name: backend, sockets, options, isEcho } of backends) {
    const paths = sockets.map((socket) => `${SOCKETS_PATH}/${socket}`);
    services[backend] = {
      ...common,
      command: ['vhost-user', 'backend', ...paths.flatMap((path) => ['--socket-path', path]), ...options],
      healthcheck: {
        test: ['CMD', 'sh', '-c', paths.map((path) => `test -S ${path}`).join(' && ')],
        interval: '1s',
        timeout: '5s',
        retries: 30,
      },
    };
    for (const [i, path] of paths.entries()) {
      services[`${MEASURE}-${backend}-${i}`] = {
        ...common,
        profiles: [MEASURE],
        command: [
          ...['vhost-user', 'frontend', '--socket-path', path, '--workload', isEcho ? 'verify' : 'tx'],
          ...['--packets', String(packets), '--wait', 'interrupt', '--json'],
          ...(hugePages === undefined ? [] : ['--hugepages', hugePages]),
        ],
        depends_on: { [backend]: { condition: 'service_healthy' } },
      };
    }
  }
  const options = { type: 'tmpfs', device: 'tmpfs', o: `uid=${uid},gid=${gid},mode=0700,size=1m` };
  const volumes = { sockets: { driver: 'local', driver_opts: options } };
  const document = new Document({ version: '2.4', services, volumes }, { aliasDuplicateObjects: false });
  document.commentBefore = ` vhost-user back ends of lab ${name}; docker-compose --profile ${MEASURE} up runs a front end at each.`;
  return document.toString({ lineWidth: 0 });
}
