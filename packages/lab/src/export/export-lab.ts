import { chmodSync, chownSync, copyFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Document, parseDocument } from 'yaml';
import type { WantedLab } from '../operate/state.ts';
import { UsageError } from '../scenario/options.ts';
import { STATION } from '../services/parts.ts';
import { ROLES } from '../services/registry.ts';

/** Port that services in containers listen at. */
export const SERVICE_PORT = 7000;

/** User and group of the images when the lab's owner is root: nobody's. */
export const IMAGE_USER = 65532;

/** Where a service reads its certificates and its token in a container. */
export const SECRETS_PATH = '/run/vhostlab';

/** Folder of a lab file and of a capture in the lab's container. */
export const LAB_PATH = '/lab';

/** Who owns the files that containers read: the owner of the lab, or nobody when that is root. */
export function containerUser(): { uid: number; gid: number } {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  return uid === 0 ? { uid: IMAGE_USER, gid: IMAGE_USER } : { uid, gid };
}

/**
 * Writes `lab.yaml` (and the capture that it replays) into a folder: the same lab, its services at the addresses of
 * their containers, or all in the process of the lab. Nodes that are endpoints already stay where they are.
 */
export function writeExportedLab(
  wanted: WantedLab,
  folder: string,
  services: 'containers' | 'embedded' = 'containers',
): void {
  const document: Document = parseDocument(wanted.text);
  for (const [name, value] of Object.entries(wanted.vars)) {
    document.setIn(['vars', name], parseDocument(value).contents);
  }
  // the station has no container: it lives with the network card unless somebody runs it
  const apart = wanted.description.topology.nodes.filter(
    ({ kind, placement }) => kind !== STATION || placement.how === 'endpoint',
  );
  const nodes = Object.fromEntries(
    apart.map(({ name, kind, placement }) => [
      name,
      { endpoint: placement.how === 'endpoint' ? placement.address : `${kind}:${SERVICE_PORT}` },
    ]),
  );
  document.set('placement', services === 'embedded' ? services : document.createNode({ nodes }));
  const { pcap } = wanted.description;
  if (pcap !== undefined) {
    const name = `capture-${basename(pcap)}`;
    copyFileSync(pcap, join(folder, name));
    document.setIn(['system', 'traffic', 'pcap'], name);
  }
  writeFileSync(join(folder, 'lab.yaml'), document.toString({ lineWidth: 0 }));
}

/** Lets the user of the containers, and nobody else, read what is below a folder. */
export function giveToContainers(folder: string): void {
  const { uid, gid } = containerUser();
  const give = (path: string): void => {
    const isFolder = statSync(path).isDirectory();
    if (isFolder) for (const name of readdirSync(path)) give(join(path, name));
    chownSync(path, uid, gid);
    chmodSync(path, isFolder ? 0o700 : 0o600);
  };
  give(folder);
}

/** Services that an export makes: all but those that somebody else runs. Throws UsageError when there is none. */
export function exportedRoles(wanted: WantedLab): readonly (typeof ROLES)[number][] {
  const { services } = wanted.description.topology;
  const roles = ROLES.filter((role) => services[role].how !== 'endpoint');
  if (roles.length === 0) {
    throw new UsageError('every service of this lab is run by others; there is nothing to export');
  }
  return roles;
}
