import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from 'tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MANIFEST_FILE, openPlaces, placeAt, readManifest, unpackTarball } from '../src/index.ts';

const SUPPORT = new URL('./support', import.meta.url).pathname;

let folder: string;
beforeEach(() => {
  // inside the package, so that modules find the SDK as they do beside an author's node_modules
  folder = mkdtempSync(join(SUPPORT, '../places-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of a device plugin under another name. */
function device(name: string, at = name): string {
  const path = join(folder, at);
  cpSync(join(SUPPORT, 'echo-device'), path, { recursive: true });
  for (const file of ['index.ts', MANIFEST_FILE]) {
    const text = readFileSync(join(path, file), 'utf8').replaceAll('echo-device', name);
    writeFileSync(join(path, file), text);
  }
  return path;
}

async function tarball(name: string, root: string, files: string[]): Promise<string> {
  const file = join(folder, name);
  await create({ file, gzip: true, cwd: root }, files);
  return file;
}

describe('the tarball of a plugin', () => {
  it('is unpacked beside it, once for the same bytes, and opens', async () => {
    device('mine', 'package');
    const file = await tarball('mine-1.2.3.tgz', folder, ['package']);
    const first = await unpackTarball(file);
    expect(readManifest(first).name).toBe('mine');
    expect(first).toMatch(/\.vhostlab-plugins\/mine-1\.2\.3-[0-9a-f]{12}\/package$/);
    expect(await unpackTarball(file)).toBe(first);
    expect(readdirSync(join(folder, '.vhostlab-plugins'))).toHaveLength(1);
    const { plugins, close } = await openPlaces([file]);
    expect([...plugins].map(([place, { name }]) => [place, name])).toEqual([[file, 'mine']]);
    await close();
  });

  it('may have its manifest at the top', async () => {
    const file = await tarball('flat.tar.gz', device('flat'), [MANIFEST_FILE, 'index.ts']);
    expect(readManifest(await unpackTarball(file)).name).toBe('flat');
  });

  it.each([
    ['that is not there', async () => join(folder, 'none.tgz'), 'it cannot be read (ENOENT)'],
    [
      'that is none',
      async () => {
        writeFileSync(join(folder, 'bad.tgz'), 'no tarball at all');
        return join(folder, 'bad.tgz');
      },
      'it is no tarball',
    ],
    [
      'with a link out of it',
      async () => {
        mkdirSync(join(folder, 'package'));
        symlinkSync('/etc', join(folder, 'package', 'out'));
        return tarball('link.tgz', folder, ['package']);
      },
      'package/out is a SymbolicLink; only files and folders are unpacked',
    ],
    [
      'without a manifest',
      async () => {
        writeFileSync(join(folder, 'x'), '');
        return tarball('empty.tgz', folder, ['x']);
      },
      'it has no vhostlab-plugin.json',
    ],
  ])('%s is refused, and nothing of it stays', async (_, make, says) => {
    const file = await make();
    await expect(unpackTarball(file)).rejects.toThrow(says);
    await expect(unpackTarball(file)).rejects.toThrow(says);
    const left = readdirSync(folder, { recursive: true }) as string[];
    expect(left.filter((name) => name.includes('unpacking') || name.endsWith('/out'))).toEqual(
      left.filter((name) => name === 'package/out'),
    );
  });
});

describe('places of plugins', () => {
  it('are folders, tarballs and addresses', async () => {
    expect(await placeAt('unix:/tmp/p.sock')).toEqual({ endpoint: 'unix:/tmp/p.sock' });
    expect(await placeAt('127.0.0.1:7005')).toEqual({ endpoint: '127.0.0.1:7005' });
    expect(await placeAt('./mine')).toEqual({ package: './mine' });
  });

  it('with one name are refused, and so is the name of a built-in back end', async () => {
    const [one, two] = [device('same', 'one'), device('same', 'two')];
    await expect(openPlaces([one, two])).rejects.toThrow(
      `the plugins at ${one} and ${two} are both named same; rename one of them`,
    );
    const vdpa = device('vdpa');
    await expect(openPlaces([vdpa])).rejects.toThrow(
      `the plugin at ${vdpa} is named vdpa, as a built-in back end is; rename it`,
    );
  });

  it('end what they started when one of them cannot be opened', async () => {
    const word = join(mkdtempSync(join(tmpdir(), 'vhostlab-places-')), 'ended');
    const program = `
      require('node:fs').writeFileSync(${JSON.stringify(word)}, 'started');
      process.stdin.on('end', () => require('node:fs').writeFileSync(${JSON.stringify(word)}, 'ended')).resume();
      process.on('SIGTERM', () => { require('node:fs').writeFileSync(${JSON.stringify(word)}, 'ended'); process.exit(); });
      setTimeout(() => console.log('1|1|unix|/tmp/nobody-listens-here|tcp'), 50);`;
    const path = join(folder, 'program');
    mkdirSync(path);
    writeFileSync(
      join(path, MANIFEST_FILE),
      JSON.stringify({ name: 'program', depth: 'burst', command: ['node', '-e', program] }),
    );
    await expect(openPlaces([device('good'), path])).rejects.toThrow(
      'it speaks tcp, and a plugin must speak grpc',
    );
    expect(readFileSync(word, 'utf8')).toBe('ended');
    rmSync(join(word, '..'), { recursive: true });
  });
});
