import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEVICE_FEATURES, DEVICE_PROTOCOL_FEATURES } from '../../packages/vhost-device/src/index.ts';
import {
  BACK_MESSAGES,
  BACKEND_MESSAGES,
  BACKEND_REQUESTS,
  FRONT_MESSAGES,
  FRONTEND_REQUESTS,
  PEERS,
  PROTOCOL_FEATURES,
  SOURCES,
} from '../../packages/vhost-user/src/index.ts';
import { featureByName } from '../../packages/virtio-net/src/index.ts';
import type { Difference } from './generate.ts';

/** The page whose tables are made here, relative to the workspace. */
export const PAGE = 'docs/vhost-user.md';

const GOLDEN = 'packages/vhost-user/test/golden';
/** Captured handshakes by the peer that they are of. */
const CAPTURES: Readonly<Record<string, readonly string[]>> = {
  'DPDK 22.11 virtio-user': [
    'golden_dpdk2211_virtio_user_packed.txt',
    'golden_dpdk2211_virtio_user_split.txt',
  ],
  'QEMU 7.2': ['golden_qemu72_boot_query_migrate.txt', 'golden_qemu72_reconnect.txt'],
};

/** Names of the messages that each captured peer sent. */
async function capturedNames(root: string): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  for (const [peer, files] of Object.entries(CAPTURES)) {
    const names = new Set<string>();
    for (const file of files) {
      const text = await readFile(join(root, GOLDEN, file), 'utf8');
      for (const [, name] of text.matchAll(/^[\d.]+ ([A-Z_]+) +flags=/gm)) names.add(name as string);
    }
    found.set(peer, names);
  }
  return found;
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

function fds([least, most]: readonly [number, number]): string {
  return least === most ? `${most}` : `${least}-${most}`;
}

/** All generated parts by the name in their marker. */
export async function parts(root: string): Promise<Map<string, string>> {
  const captured = await capturedNames(root);
  const handled = new Set<string>(BACKEND_MESSAGES.map(({ name }) => name));
  const offered = new Set<string>(DEVICE_PROTOCOL_FEATURES);
  const usable = (name: string, feature: string | undefined): string =>
    !handled.has(name) ? 'refused' : feature === undefined || offered.has(feature) ? 'yes' : 'not offered';
  const messages = FRONT_MESSAGES.map((row) => [
    `${row.request}`,
    row.name,
    row.payload,
    row.reply ?? '-',
    fds(row.fds),
    row.feature ?? '-',
    row.net,
    usable(row.name, row.feature ?? undefined),
    [...captured]
      .filter(([, names]) => names.has(row.name))
      .map(([peer]) => peer)
      .join(', '),
    row.source,
  ]);
  const sent = new Set<string>(BACKEND_REQUESTS);
  const back = BACK_MESSAGES.map((row) => [
    `${row.request}`,
    row.name,
    row.payload,
    fds(row.fds),
    row.net,
    !sent.has(row.name) ? 'no' : offered.has(row.feature) ? 'yes' : 'not offered',
    FRONTEND_REQUESTS.includes(row.name) ? 'yes' : 'refused',
    row.source,
  ]);
  const bits = PROTOCOL_FEATURES.map((row) => [
    `${row.bit}`,
    row.name,
    row.net,
    offered.has(row.name) ? 'yes' : 'no',
    row.peers.map((peer) => PEERS[peer]).join(', '),
    row.collision ?? '',
  ]);
  const features = DEVICE_FEATURES.map((name) => [`${featureByName(name).bit}`, name]);
  return new Map([
    [
      'messages',
      table(
        ['id', 'message', 'payload', 'reply', 'fds', 'needs', 'net', 'back end', 'captured from', 'source'],
        messages,
      ),
    ],
    [
      'back-messages',
      table(['id', 'message', 'payload', 'fds', 'net', 'back end sends', 'front end takes', 'source'], back),
    ],
    ['protocol-features', table(['bit', 'name', 'net', 'offered', 'known to', 'collision'], bits)],
    [
      'sources',
      table(
        ['source', 'what was read'],
        Object.entries(SOURCES).map(([key, text]) => [key, text]),
      ),
    ],
    ['features', table(['bit', 'name'], features)],
  ]);
}

/** Puts each part between its markers. Throws when the page lacks one. */
export function fill(page: string, all: ReadonlyMap<string, string>): string {
  let text = page;
  for (const [name, part] of all) {
    const marker = new RegExp(`(<!-- generated: ${name} -->\\n)[^]*?(<!-- end -->)`);
    if (!marker.test(text)) throw new Error(`${PAGE} has no place "<!-- generated: ${name} -->"`);
    text = text.replace(marker, (_, begin: string, end: string) => `${begin}\n${part}\n\n${end}`);
  }
  return text;
}

/** Compares the tables of the page with the registry, and mends them unless `check` is set. Returns what differed. */
export async function generateVhostUserPage(root: string, check: boolean): Promise<Difference[]> {
  const file = join(root, PAGE);
  const page = await readFile(file, 'utf8');
  const wanted = fill(page, await parts(root));
  if (wanted === page) return [];
  if (!check) await writeFile(file, wanted);
  return [{ file: PAGE, how: 'out of date' }];
}
