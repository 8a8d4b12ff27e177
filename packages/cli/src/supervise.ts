import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WantedLab } from '@vhostlab/lab';
import { OperatorError } from './errors.ts';
import type { Io } from './io.ts';
import { loadProfile } from './profiles.ts';
import { VERSION } from './version.ts';

const BIN = fileURLToPath(new URL('../bin/vhostlab.mjs', import.meta.url));

/**
 * Is a lab from up to down: starts its services, serves its control socket, and resolves when it has ended. Throws what
 * ended it, if that was a fault. SIGINT and SIGTERM end it in order.
 */
export async function supervise(
  io: Io,
  wanted: WantedLab,
  labs: string,
  securityFolder: string | undefined,
  onReady: () => void = () => undefined,
): Promise<void> {
  const [lab, contracts] = await Promise.all([import('@vhostlab/lab'), import('@vhostlab/contracts')]);
  const folder = new lab.LabFolder(labs, wanted.description.name);
  folder.make();
  folder.lock(lab.thisProcess());
  try {
    folder.clear();
    const remote = loadRemoteSecurity(contracts, lab.TOKEN_FILE, securityFolder);
    const token = remote.token ?? lab.newToken();
    writeFileSync(folder.file('token'), `${token}\n`, { mode: 0o600 });
    const supervisor = new lab.Supervisor(wanted, {
      folder,
      tracing: {
        providerFor: () => undefined,
        takeSpans: () => ({ otlpJson: new Uint8Array(0), dropped: 0 }),
      },
      command: (role, address) => ({
        file: process.execPath,
        args: [
          BIN,
          'serve',
          role,
          '--listen',
          address,
          '--exit-with-stdin',
          '--token-file',
          folder.file('token'),
        ],
      }),
      security: { token },
      remoteSecurity: { ...remote, token },
      loadProfile,
      versions: { vhostlab: VERSION, node: process.version },
    });
    const signal = io.interruptible();
    signal.addEventListener('abort', () => void supervisor.down(), { once: true });
    const server = await contracts.serveGrpc({
      listen: supervisor.state.control,
      implementations: [lab.controlImplementation(supervisor, () => undefined)],
    });
    try {
      await supervisor.apply(wanted);
      onReady();
      const error = await supervisor.ended;
      if (error !== undefined) throw error;
    } finally {
      await server.close(500);
    }
  } finally {
    folder.unlock();
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
