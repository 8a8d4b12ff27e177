import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LabFolder, LabSupervisor, Tracing, WantedLab } from '@vhostlab/lab';
import { OperatorError } from './errors.ts';
import type { Io } from './io.ts';
import { labTracing } from './lab-tracing.ts';
import { pluginArguments } from './plugin-words.ts';
import { loadProfile } from './profiles.ts';
import { VERSION } from './version.ts';

/** Certificates of a lab that is up are for that lab alone. */
const SECRET_DAYS = 30;
const BIN = fileURLToPath(new URL('../bin/vhostlab.mjs', import.meta.url));

/** How a lab is. */
export interface SuperviseOptions {
  onReady?: () => void;
  /** It ends with its runs. */
  isOneRun?: boolean;
}

/**
 * Is a lab from up to down: starts its services, serves its control socket, and resolves when it has ended. Throws what
 * ended it, if that was a fault. SIGINT and SIGTERM end it in order; `isOneRun`: the end of its runs as well.
 */
export async function supervise(
  io: Io,
  wanted: WantedLab,
  labs: string,
  securityFolder: string | undefined,
  options: SuperviseOptions = {},
): Promise<void> {
  const lab = await import('@vhostlab/lab');
  const folder = new lab.LabFolder(labs, wanted.description.name);
  folder.make();
  const { tracing, shutdown } = await labTracing(folder.name);
  try {
    folder.lock(lab.thisProcess());
    try {
      await superviseLocked(io, wanted, folder, tracing, securityFolder, options);
    } finally {
      folder.unlock();
    }
  } finally {
    await shutdown();
  }
}

/** The same for a lab whose folder is this process's. */
async function superviseLocked(
  io: Io,
  wanted: WantedLab,
  folder: LabFolder,
  tracing: Tracing,
  securityFolder: string | undefined,
  options: SuperviseOptions,
): Promise<void> {
  const [lab, contracts] = await Promise.all([import('@vhostlab/lab'), import('@vhostlab/contracts')]);
  folder.clear();
  if (wanted.description.real !== undefined) {
    const supervisor = new lab.RealSupervisor(wanted, {
      folder,
      vhostlab: { file: process.execPath, args: [BIN] },
    });
    await serveLab(io, supervisor, wanted, options);
    return;
  }
  const { services } = wanted.description.topology;
  let secrets = securityFolder;
  if (secrets === undefined && Object.values(services).some(({ how }) => how === 'container')) {
    secrets = folder.file('secrets');
    rmSync(secrets, { recursive: true, force: true });
    await (await import('@vhostlab/lab/certs')).makeCertificates(secrets, SECRET_DAYS, new Date());
  }
  const remote = loadRemoteSecurity(contracts, lab.TOKEN_FILE, secrets);
  const token = remote.token ?? lab.newToken();
  writeFileSync(folder.file('token'), `${token}\n`, { mode: 0o600 });
  const supervisor = new lab.Supervisor(wanted, {
    folder,
    tracing,
    command: (role, address, plugins = []) => ({
      file: process.execPath,
      args: [
        BIN,
        'serve',
        role,
        '--listen',
        address,
        '--exit-with-stdin',
        ...pluginArguments(plugins),
        '--token-file',
        folder.file('token'),
        // a process meets services at TCP addresses with a certificate of its own
        ...(secrets === undefined ? [] : ['--tls', join(secrets, role)]),
      ],
    }),
    security: { token },
    remoteSecurity: { ...remote, token },
    loadProfile,
    openPlugins: async (places) => (await import('@vhostlab/plugin-kit')).openPlaces(places),
    ...(secrets === undefined ? {} : { placeContainers: lab.containerPlacer(folder, secrets, VERSION) }),
    versions: { vhostlab: VERSION, node: process.version },
  });
  await serveLab(io, supervisor, wanted, options);
}

/** Brings a lab up and serves its control socket until it has ended. */
async function serveLab(
  io: Io,
  supervisor: LabSupervisor,
  wanted: WantedLab,
  { onReady, isOneRun = false }: SuperviseOptions,
): Promise<void> {
  const [lab, contracts] = await Promise.all([import('@vhostlab/lab'), import('@vhostlab/contracts')]);
  const signal = io.interruptible();
  signal.addEventListener('abort', () => void supervisor.down(), { once: true });
  const server = await contracts.serveGrpc({
    listen: supervisor.state.control,
    implementations: [lab.controlImplementation(supervisor, () => undefined)],
  });
  try {
    if (isOneRun) {
      supervisor.events.follow(({ kind, what }) => {
        if (kind === 'lab' && what === 'complete') setImmediate(() => void supervisor.down());
      });
    }
    await supervisor.apply(wanted);
    onReady?.();
    const error = await supervisor.ended;
    if (error !== undefined) throw error;
  } finally {
    await server.close(500);
  }
}

/** Token and certificates of a folder that `lab certs` made. */
function loadRemoteSecurity(
  contracts: typeof import('@vhostlab/contracts'),
  tokenFile: string,
  folder: string | undefined,
): import('@vhostlab/contracts').Security {
  if (folder === undefined) return {};
  try {
    return contracts.loadSecurity({ tokenFile: join(folder, tokenFile), tlsFolder: join(folder, 'lab') });
  } catch (error) {
    throw error instanceof contracts.AddressError ? new OperatorError(`--security: ${error.message}`) : error;
  }
}
