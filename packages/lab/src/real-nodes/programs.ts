import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** Programs that nodes are made of, and the Debian package of each. */
export const PACKAGES = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'dpdk-testpmd': 'dpdk-dev',
  'ovsdb-tool': 'openvswitch-switch',
  'ovsdb-server': 'openvswitch-switch',
  'ovs-vsctl': 'openvswitch-switch',
  'ovs-ofctl': 'openvswitch-switch',
  '/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk': 'openvswitch-switch-dpdk',
  '/usr/share/openvswitch/vswitch.ovsschema': 'openvswitch-common',
  setpriv: 'util-linux',
  taskset: 'util-linux',
  unshare: 'util-linux',
  stdbuf: 'coreutils',
} as const;

export type KnownProgram = keyof typeof PACKAGES;

export const OVS_SWITCH = '/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk';
export const OVS_SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** Absolute path of a program, or of a file that is named by its whole path; undefined when it is not there. */
export function findProgram(program: string): string | undefined {
  const isSchema = program.endsWith('.ovsschema');
  const candidates = isAbsolute(program)
    ? [program]
    : // daemons live in sbin, which an ordinary user's PATH leaves out
      [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].map((dir) => join(dir, program));
  return candidates.find((candidate) => {
    try {
      accessSync(candidate, isSchema ? constants.R_OK : constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Absolute path of a program that admission has found. Throws when it has gone since. */
export function requireProgram(program: KnownProgram): string {
  const path = findProgram(program);
  if (path === undefined) throw new Error(`${program} is not there; install Debian's ${PACKAGES[program]}`);
  return path;
}
