import type { Probes } from './probes.ts';

/** A real program that vhostlab can meet; `path` and `version` are null when it is not installed or will not say. */
export interface Peer {
  readonly name: string;
  readonly usedFor: string;
  readonly path: string | null;
  readonly version: string | null;
}

interface KnownPeer {
  readonly name: string;
  readonly usedFor: string;
  /** Command that prints the version on its first line; `self` stands for the program's own path. */
  readonly ask: readonly [program: string, ...args: string[]];
}

const SELF = 'self';

const KNOWN_PEERS: readonly KnownPeer[] = [
  { name: 'qemu-system-x86_64', usedFor: 'real guests', ask: [SELF, '--version'] },
  // dpdk-testpmd has no way to print its version without starting the EAL, so the package database answers.
  {
    name: 'dpdk-testpmd',
    usedFor: 'real vhost-user drivers and back ends',
    ask: ['dpkg-query', '-W', 'dpdk'],
  },
  { name: 'ovs-vswitchd', usedFor: 'the real switch', ask: [SELF, '--version'] },
  { name: 'ovs-ofctl', usedFor: 'OpenFlow from the command line', ask: [SELF, '--version'] },
  { name: 'tshark', usedFor: 'checking exported captures', ask: [SELF, '--version'] },
  { name: 'docker', usedFor: 'services in containers', ask: [SELF, '--version'] },
];

/** Looks for every known peer at once, in a fixed order. */
export function inspectPeers(probes: Probes): Promise<Peer[]> {
  return Promise.all(
    KNOWN_PEERS.map(async ({ name, usedFor, ask: [program, ...args] }) => {
      const path = await probes.find(name);
      const line = path === null ? null : await probes.firstLine(program === SELF ? path : program, args);
      return { name, usedFor, path, version: line === null ? null : versionIn(line) };
    }),
  );
}

/** The version number in a line such as "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg)", or the line itself. */
function versionIn(line: string): string {
  return /\d+(?:\.\d+)+/.exec(line)?.[0] ?? line;
}
