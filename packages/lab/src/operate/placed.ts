import {
  createGrpcTransport,
  createLocalTransport,
  type Security,
  type Transport,
} from '@vhostlab/contracts';
import type { Placement } from '../lab-file/topology.ts';
import type { Progress } from '../run/process-runtime.ts';
import type { OpenPlugins } from '../scenario/rows.ts';
import type { Part } from '../services/parts.ts';
import { PLUGINS } from '../services/registry.ts';
import { hostServices, type Tracing } from '../services/serve.ts';
import { ServiceLostError } from '../services/service-lost.ts';
import {
  EXIT_TIMEOUT_MS,
  LOST_EXIT_TIMEOUT_MS,
  type ServiceCommand,
  ServiceProcess,
} from '../services/service-process.ts';

/** Services that share a process, and how they are reached. */
export interface Placed {
  readonly roles: readonly Part[];
  readonly placement: Placement;
  /** Where neighbours reach it; undefined: it calls them. */
  readonly address?: string;
  readonly pid?: number;
  readonly container?: string;
  readonly transport: Transport;
  /** Resolves when it can be called. Throws ServiceLostError. */
  ready(stop: AbortSignal): Promise<void>;
  /** What it last said, for the error about its end. */
  lastWords(): string;
  end(isLost: boolean): Promise<void>;
  /** Plugins that live in this process for it, and end with it. */
  readonly opened?: OpenPlugins;
}

/** What placing needs of its surroundings. */
export interface Surroundings {
  tracing: Tracing;
  command: ServiceCommand;
  /** Folder of the sockets. */
  sockets: string;
  /** Token of the lab. */
  security: Security;
  /** Certificates for services at TCP addresses; undefined: loopback only. */
  remoteSecurity: Security;
  /** How long a service at an address may take to answer. */
  endpointReadyMs: number;
  /** Plugins for a back-end service in this process. */
  opened?: OpenPlugins;
  onLost(role: Part, error: ServiceLostError): void;
  onProgress(progress: Progress): void;
}

/** The services of `roles` in this process, sharing it. */
export function placeEmbedded(roles: readonly Part[], around: Surroundings): Placed {
  const opened = roles.includes('backend') ? around.opened : undefined;
  const hosted = hostServices(roles, {
    ...(opened === undefined ? {} : { plugins: [...PLUGINS, ...opened.plugins.values()] }),
    instanceId: 'embedded',
    processId: process.pid,
    tracing: around.tracing,
    exit: () => undefined,
    onProgress: around.onProgress,
    connect: (address, peer) => connectTo(address, peer, around),
  });
  const transport = createLocalTransport(hosted.implementations);
  return {
    roles,
    placement: { how: 'embedded' },
    pid: process.pid,
    transport,
    ready: async () => undefined,
    lastWords: () => '',
    end: async () => {
      hosted.runtime.close();
      transport.close();
      await opened?.close();
    },
    ...(opened === undefined ? {} : { opened }),
  };
}

/** One service as a process of its own. */
export function placeProcess(role: Part, around: Surroundings, plugins?: readonly string[]): Placed {
  const service = new ServiceProcess(
    role,
    around.sockets,
    around.command,
    (error) => around.onLost(role, error),
    { security: around.security, ...(plugins === undefined ? {} : { plugins }) },
  );
  return {
    roles: [role],
    placement: { how: 'process' },
    address: service.address,
    pid: service.pid,
    transport: service.transport,
    ready: (stop) => service.ready(stop),
    lastWords: () => service.lastWords,
    end: (isLost) => service.end(isLost ? LOST_EXIT_TIMEOUT_MS : EXIT_TIMEOUT_MS),
  };
}

/** A service that somebody else runs. */
export function placeEndpoint(role: Part, address: string, around: Surroundings): Placed {
  const transport = connectTo(address, role, around);
  return {
    roles: [role],
    placement: { how: 'endpoint', address },
    address,
    transport,
    ready: async () => {
      try {
        await transport.ready(around.endpointReadyMs);
      } catch {
        throw new ServiceLostError(
          `service ${role} does not answer at ${address}; start it there with vhostlab serve ${role} --listen ${address}, with the token and certificates of this lab`,
        );
      }
    },
    lastWords: () => '',
    end: async () => transport.close(),
  };
}

/** A connection to a service, with what the lab has to show there. */
export function connectTo(address: string, peer: string, around: Surroundings): Transport {
  const security = address.startsWith('unix:') ? around.security : around.remoteSecurity;
  return createGrpcTransport(address, { security, serverName: peer });
}
