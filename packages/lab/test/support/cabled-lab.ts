import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createGrpcTransport, type GrpcServer, type Role, serveGrpc } from '@vhostlab/contracts';
import {
  hostServices,
  LabFolder,
  ROLES,
  type RuntimeServer,
  readLabFile,
  Supervisor,
  type WantedLab,
} from '../../src/index.ts';
import { Cable } from './cable.ts';
import { noTracing, profile, serveCommand } from './run.ts';

/** Cables of a lab: from the lab to each service, and between services that have a channel. */
export const CABLES = [
  'lab-guest',
  'lab-backend',
  'lab-switch',
  'lab-nic',
  'backend-guest',
  'backend-switch',
  'backend-nic',
] as const;
export type CableName = (typeof CABLES)[number];

/**
 * A lab whose four services are run by others, each at an address of its own, with a cable that a test can cut in every
 * place where there would be one between five machines. All in this process.
 */
export class CabledLab {
  readonly supervisor: Supervisor;
  readonly wanted: WantedLab;
  readonly cables: ReadonlyMap<CableName, Cable>;
  readonly #folder: string;
  readonly #close: () => Promise<void>;

  private constructor(
    folder: string,
    supervisor: Supervisor,
    wanted: WantedLab,
    cables: ReadonlyMap<CableName, Cable>,
    close: () => Promise<void>,
  ) {
    this.#folder = folder;
    this.supervisor = supervisor;
    this.wanted = wanted;
    this.cables = cables;
    this.#close = close;
  }

  static async open(folder: string, packets: number, stallTimeout: string): Promise<CabledLab> {
    const socket = (name: string): string => join(folder, `${name}.sock`);
    const cables = new Map<CableName, Cable>();
    const services: { server: GrpcServer; runtime: RuntimeServer }[] = [];
    for (const role of ROLES) {
      const hosted = hostServices([role], {
        instanceId: role,
        processId: process.pid,
        tracing: noTracing,
        exit: () => undefined,
        connect: (_, peer) => createGrpcTransport(`unix:${socket([role, peer].sort().join('-'))}`),
      });
      const server = await serveGrpc({
        listen: `unix:${socket(role)}`,
        implementations: hosted.implementations,
      });
      services.push({ server, runtime: hosted.runtime });
    }
    for (const cable of CABLES) {
      const [from, to] = cable.split('-') as [string, Role];
      // of two services the first by name calls the other
      const called = from === 'lab' || from < to ? to : (from as Role);
      cables.set(cable, await Cable.start(socket(cable), socket(called)));
    }
    const nodes = ROLES.map((role) => `${role}0: {endpoint: "unix:${socket(`lab-${role}`)}"}`).join(', ');
    const text = `schema: 1\nname: test\nsystem: {workloads: [pvp], traffic: {packets: ${packets}}}\nroles: {backends: [vhost-user]}\ntime: {stallTimeout: ${stallTimeout}}\nplacement: {nodes: {${nodes}}}\n`;
    const file = join(folder, 'test.lab.yaml');
    writeFileSync(file, text);
    const wanted = { file, text, vars: {}, description: readLabFile(text, file) };
    const supervisor = supervisorOf(folder, 'test', wanted);
    return new CabledLab(folder, supervisor, wanted, cables, async () => {
      for (const cable of cables.values()) cable.mend();
      await Promise.all(
        services.map(async ({ server, runtime }) => {
          runtime.close();
          await server.close(100);
        }),
      );
      await Promise.all([...cables.values()].map((cable) => cable.close()));
    });
  }

  /** Brings the lab up and resolves in the middle of its run. */
  async upTo(delivered: number): Promise<void> {
    await this.supervisor.apply(this.wanted);
    while ((this.supervisor.state.runs[0]?.delivered ?? 0) < delivered) {
      if (this.supervisor.state.phase !== 'running') throw new Error('the run is over');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Another lab at the same services. */
  another(name: string): Supervisor {
    return supervisorOf(this.#folder, name, this.wanted);
  }

  async close(): Promise<void> {
    await this.supervisor.down();
    await this.#close();
  }
}

function supervisorOf(folder: string, name: string, wanted: WantedLab): Supervisor {
  const labFolder = new LabFolder(folder, name);
  labFolder.make();
  return new Supervisor(wanted, {
    folder: labFolder,
    tracing: noTracing,
    command: serveCommand,
    security: {},
    remoteSecurity: {},
    loadProfile: async () => profile,
    versions: {},
    endpointReadyMs: 2_000,
  });
}
