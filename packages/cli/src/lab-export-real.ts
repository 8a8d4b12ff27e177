import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RealLab } from '@vhostlab/lab';
import { OperatorError } from './errors.ts';
import type { Io } from './io.ts';
import { VERSION } from './version.ts';

/** Frames of each front end of the profile `measure`. */
const MEASURED_PACKETS = 100_000;

/** Writes the compose file of the back ends of a lab on the real clock into a new folder. */
export async function exportReal(io: Io, name: string, real: RealLab, out: string): Promise<void> {
  const lab = await import('@vhostlab/lab');
  const { backends, others, hasHugePages } = lab.containedLab(real);
  if (existsSync(out)) throw new OperatorError(`--out: ${out} exists already; name a new folder`);
  const text = lab.composeVhostUserOf(
    backends,
    { name, version: VERSION },
    { packets: MEASURED_PACKETS, ...(hasHugePages ? { hugePages: '2M' as const } : {}) },
  );
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'docker-compose.yml'), text);
  const rest =
    others.length === 0 ? '' : `; ${others.join(', ')} run where you run them, at the sockets of the volume`;
  io.out(
    `${out}: docker-compose.yml with ${backends.map(({ name: each }) => each).join(', ')}${rest}; docker-compose --profile measure up runs a front end at each\n`,
  );
}
