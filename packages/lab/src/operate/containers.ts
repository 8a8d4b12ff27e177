import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Role } from '@vhostlab/contracts';
import { composeOf } from '../export/compose.ts';
import { giveToContainers, SERVICE_PORT } from '../export/export-lab.ts';
import { UsageError } from '../scenario/options.ts';
import { ServiceLostError } from '../services/service-lost.ts';
import type { LabFolder } from './lab-folder.ts';
import { ContainerReaper, labelsOf, projectOf, removeLeftContainers } from './left-containers.ts';
import { connectTo, type Placed, type Surroundings } from './placed.ts';

const run = promisify(execFile);
const READY_TIMEOUT_MS = 60_000;

/** Runs a program; throws ServiceLostError with the last line that it said. */
async function command(file: string, args: readonly string[]): Promise<string> {
  try {
    return (await run(file, args, { maxBuffer: 16 * 1024 * 1024 })).stdout.trim();
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') {
      throw new UsageError(
        `${file} is not installed, which placement container needs; install it, or place as process`,
      );
    }
    const said = stderr.trim().split('\n').at(-1) ?? '';
    throw new ServiceLostError(`${file} ${args.at(-1)} failed: ${said}`);
  }
}

/**
 * Makes the containers of a lab: a compose project of its own with the images of docker/build, reached at the addresses
 * that the project's network gives them. The project ends with its last service, or with this process.
 */
export function containerPlacer(folder: LabFolder, secrets: string, version: string) {
  return async (roles: readonly Role[], around: Surroundings): Promise<Placed[]> => {
    const project = projectOf(folder);
    const path = folder.file('containers');
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { mode: 0o700 });
    cpSync(secrets, join(path, 'secrets'), { recursive: true });
    giveToContainers(join(path, 'secrets'));
    const file = join(path, 'docker-compose.yml');
    writeFileSync(
      file,
      composeOf(roles, {
        version,
        name: folder.name,
        withLab: false,
        labels: labelsOf(folder),
      }),
    );
    const compose = (...args: string[]): Promise<string> =>
      command('docker-compose', ['--ansi', 'never', '-p', project, '-f', file, ...args]);
    await command('docker', [
      'image',
      'inspect',
      '-f',
      '{{.Id}}',
      ...roles.map((role) => `vhostlab/${role}:${version}`),
    ]).catch((error: unknown) => {
      if (error instanceof UsageError) throw error;
      throw new UsageError(
        `the images vhostlab/${roles.join(', ')} ${version} are not there (${(error as Error).message}); make them with docker/base-image and docker/build`,
      );
    });
    let left = roles.length;
    await removeLeftContainers(folder);
    const reaper = new ContainerReaper(folder);
    const remove = async (): Promise<void> => {
      await compose('down', '-v').catch(() => undefined);
      await reaper.end();
    };
    try {
      await compose('up', '-d');
      return await Promise.all(
        roles.map(async (role): Promise<Placed> => {
          const container = await compose('ps', '-q', role);
          const ip = await command('docker', [
            'inspect',
            '-f',
            `{{(index .NetworkSettings.Networks "${project}_links").IPAddress}}`,
            container,
          ]);
          const address = `${ip}:${SERVICE_PORT}`;
          const transport = connectTo(address, role, around);
          return {
            roles: [role],
            placement: { how: 'container' },
            address,
            container: container.slice(0, 12),
            transport,
            ready: async () => {
              try {
                await transport.ready(READY_TIMEOUT_MS);
              } catch {
                const log = await command('docker', ['logs', '--tail', '1', container]).catch(() => '');
                throw new ServiceLostError(
                  `service ${role} (container ${container.slice(0, 12)}) does not answer at ${address}: ${log}`,
                );
              }
            },
            lastWords: () => '',
            end: async (isLost) => {
              transport.close();
              await command('docker', ['stop', '-t', isLost ? '1' : '10', container]).catch(() => undefined);
              left--;
              if (left === 0) await remove();
            },
          };
        }),
      );
    } catch (error) {
      await remove();
      throw error;
    }
  };
}
