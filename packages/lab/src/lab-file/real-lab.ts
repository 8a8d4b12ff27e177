import { resolve } from 'node:path';
import { describeIssue } from '../scenario/describe-issue.ts';
import { UsageError } from '../scenario/options.ts';
import { refuseModels } from './clocks.ts';
import type { LocatedDocument } from './located.ts';
import { joinReal, type RealLink } from './real-links.ts';
import { REAL_SETTINGS, type RealKind, type RealNode, settingNames } from './real-schema.ts';
import type { LabFile } from './schema.ts';

/** A lab on the real clock: programs, and the vhost-user sockets between them. */
export interface RealLab {
  readonly nodes: readonly RealNode[];
  readonly links: readonly RealLink[];
}

type System = LabFile['system'];

const PORT_FORM = /^(drop|echo|macswap|switch|generate|pcap|tap)(:|$)/;

/** Makes the lab of a file with `time: {clock: real}`. Throws UsageError with the place of the first thing that is wrong. */
export function resolveRealLab(file: LabFile, located: LocatedDocument): RealLab {
  refuseModels(file, located);
  const given = file.system.nodes ?? {};
  if (Object.keys(given).length === 0) {
    throw new UsageError(
      `${located.fault(['system'], 'has no nodes; a lab on the real clock names them, as in vm0: {kind: qemu}').message}`,
    );
  }
  const nodes = Object.entries(given).map(([name, node]): RealNode => {
    const kind = node.kind as RealKind;
    const settings = settingsOf(name, node, file.system, located);
    return checked({ name, kind, settings } as RealNode, located);
  });
  return { nodes, links: joinReal(file.system.links, nodes, located) };
}

const PATHS: Readonly<Record<RealKind, readonly string[]>> = {
  qemu: ['kernel', 'initrd', 'disk'],
  testpmd: [],
  ovs: [],
  backend: ['plugin'],
};
/** Where a plugin listens, in place of the folder that it is in. */
const IS_ADDRESS = /^unix:|:\d+$/;

/** The lab with the relative paths of its nodes made absolute. */
export function atFolder(lab: RealLab, folder: string): RealLab {
  const nodes = lab.nodes.map((node) => {
    const settings: Record<string, unknown> = { ...node.settings };
    for (const key of PATHS[node.kind]) {
      const path = settings[key];
      if (typeof path === 'string' && !IS_ADDRESS.test(path)) settings[key] = resolve(folder, path);
    }
    return { ...node, settings } as RealNode;
  });
  return { nodes, links: lab.links };
}

/** Settings of a node: its own before its group's, those of its kind, and the defaults; last those of this program. */
function settingsOf(
  name: string,
  node: NonNullable<System['nodes']>[string],
  system: System,
  located: LocatedDocument,
): unknown {
  const { kind, group, ...own } = node;
  const known = settingNames(kind as RealKind);
  const wrong = Object.keys(own).find((key) => !known.includes(key));
  if (wrong !== undefined) {
    throw located.fault(
      ['system', 'nodes', name, wrong],
      `a ${kind} of the real clock has no ${wrong}; it has ${known.join(', ')}`,
    );
  }
  const groups = system.groups ?? {};
  if (group !== undefined && !Object.hasOwn(groups, group)) {
    const there = Object.keys(groups);
    throw located.fault(
      ['system', 'nodes', name, 'group'],
      `there is no group "${group}"; ${there.length === 0 ? 'declare it below system.groups' : `there are ${there.join(', ')}`}`,
    );
  }
  const merged: Record<string, unknown> = {
    ...system.defaults,
    ...system.kinds?.[kind as RealKind],
    ...(group === undefined ? {} : groups[group]),
    ...own,
  };
  const mine = Object.fromEntries(Object.entries(merged).filter(([key]) => known.includes(key)));
  const parsed = REAL_SETTINGS[kind as RealKind].safeParse(mine, { error: describeIssue });
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw located.fault(['system', 'nodes', name, ...path], message);
}

/** Rules between settings of one node. */
function checked(node: RealNode, located: LocatedDocument): RealNode {
  const fault = (key: string, message: string): UsageError =>
    located.fault(['system', 'nodes', node.name, key], message);
  if (node.kind === 'qemu') {
    const { image, kernel, initrd, append, disk, marker, run, address } = node.settings;
    const isOwn = kernel !== undefined || disk !== undefined;
    if (isOwn && image !== undefined) {
      throw fault('image', 'excludes kernel and disk; leave it out, or leave them out');
    }
    if (kernel !== undefined && disk !== undefined)
      throw fault('disk', 'excludes kernel; leave one of them out');
    if (initrd !== undefined && kernel === undefined) throw fault('initrd', 'needs kernel');
    if (append !== undefined && kernel === undefined) throw fault('append', 'needs kernel');
    if (!isOwn && marker !== undefined) {
      throw fault(
        'marker',
        'is for a kernel or disk of your own; the image linux says itself that it is there',
      );
    }
    if (isOwn && run.length > 0) throw fault('run', 'needs the image linux, which takes commands');
    if (isOwn && address !== undefined) throw fault('address', 'needs the image linux; set it in your guest');
  }
  if (node.kind === 'testpmd') {
    const { device, ring, mac } = node.settings;
    if (device === 'net_vhost' && ring === 'packed') {
      throw fault('ring', 'is chosen by the front end; set it there');
    }
    if (device === 'net_vhost' && mac !== undefined)
      throw fault('mac', 'belongs to the front end; set it there');
  }
  if (node.kind === 'backend') {
    const { port, plugin, options, flows, mode } = node.settings;
    if (options !== undefined && plugin === undefined) throw fault('options', 'are those of a plugin');
    if (!PORT_FORM.test(port)) {
      throw fault(
        'port',
        `"${port}" is none; there are drop, echo, macswap, switch, generate, pcap:FILE, tap:NAME`,
      );
    }
    const isSwitch = port.startsWith('switch') || plugin !== undefined;
    if (plugin !== undefined && port !== 'switch') {
      throw fault('port', 'excludes plugin, which stands in front of the switch; leave one of them out');
    }
    if (flows !== undefined && !isSwitch) throw fault('flows', 'are for port: switch');
    if (isSwitch && mode === 'adaptive') throw fault('mode', 'must be poll or interrupt with port: switch');
  }
  return node;
}
