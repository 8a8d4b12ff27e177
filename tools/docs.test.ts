import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../packages/cli/src/exit-codes.ts';
import type { Io } from '../packages/cli/src/io.ts';
import { createProgram } from '../packages/cli/src/program.ts';
import { PORT_FORMS } from '../packages/vhost-device/src/index.ts';

const root = join(import.meta.dirname, '..');
/** Documents that name files of the repository by their whole path. */
const MAPS = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'];
/** First folders of such paths; everything else in backticks is a command, a word or an example. */
const PATH = /^(packages|proto|tools|docs|docker|examples|schemas)\/[\w./-]*$/;

const LEFT_OUT = new Set(['node_modules', 'dist', 'runs', 'vhostlab-runs']);

const documents = readdirSync(root, { withFileTypes: true })
  .filter((entry) => !entry.name.startsWith('.') && !LEFT_OUT.has(entry.name))
  .flatMap((entry) => (entry.isDirectory() ? markdownBelow(entry.name) : [entry.name]))
  .filter((path) => path.endsWith('.md'))
  .sort();

function markdownBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (LEFT_OUT.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? markdownBelow(path) : [path];
  });
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Text without fenced blocks, which show other files and other programs' output. */
function prose(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, '');
}

/** Paths in backticks, `path:line` and trailing options cut off. */
function namedPaths(text: string): string[] {
  return [...prose(text).matchAll(/`([^`\s]+)`/g)]
    .map(([, name]) => name as string)
    .filter((name) => PATH.test(name));
}

/** Targets of Markdown links that lead into the repository. */
function relativeLinks(text: string): string[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target as string)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** Anchor of a heading as GitHub makes it. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
}

describe('documents', () => {
  it('are found, the maps among them', () => {
    expect(documents).toEqual(expect.arrayContaining(MAPS));
  });

  it('tell paths from other words', () => {
    const text =
      'see `packages/x/src/y.ts`, `npm test`, `proto/`, `guest.kick` and\n```\n`packages/no`\n```\n';
    expect(namedPaths(text)).toEqual(['packages/x/src/y.ts', 'proto/']);
    expect(relativeLinks('[a](b.md) [c](https://d.e) [f](#g)')).toEqual(['b.md', '#g']);
  });

  it.each(MAPS)('%s names only files that there are', (document) => {
    const names = namedPaths(read(document));
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !existsSync(join(root, name)))).toEqual([]);
  });

  it('have a line for every package in the architecture', () => {
    const named = new Set(namedPaths(read('ARCHITECTURE.md')));
    const packages = readdirSync(join(root, 'packages')).filter((name) =>
      existsSync(join(root, 'packages', name, 'package.json')),
    );
    expect(packages.filter((name) => !named.has(`packages/${name}`))).toEqual([]);
  });

  it.each(documents)('%s links only to what there is', (document) => {
    const broken = relativeLinks(read(document)).filter((target) => {
      const [path, fragment] = target.split('#') as [string, string | undefined];
      const file = path === '' ? join(root, document) : resolve(root, dirname(document), path);
      if (!existsSync(file)) return true;
      if (fragment === undefined) return false;
      const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(
        ([, heading]) => heading as string,
      );
      return !headings.some((heading) => anchor(heading) === fragment);
    });
    expect(broken).toEqual([]);
  });
});

describe('README.md', () => {
  const readme = read('README.md');

  it('has a row for every option of compare and for no other', async () => {
    const program = await createProgram({ out: () => undefined, err: () => undefined } as unknown as Io);
    const compare = program.commands.find((command) => command.name() === 'compare');
    const options = compare?.options.map(({ long }) => long ?? '').filter((long) => long !== '--help');
    const rows = [...readme.matchAll(/^\| `(--[a-z-]+)/gm)].map(([, long]) => long);
    expect(rows.toSorted()).toEqual(options?.toSorted());
  });

  it('names every command', async () => {
    const program = await createProgram({ out: () => undefined, err: () => undefined } as unknown as Io);
    const missing = program.commands.filter((command) => !readme.includes(`vhostlab ${command.name()}`));
    expect(missing.map((command) => command.name())).toEqual([]);
  });

  it('has the exit statuses of the program', () => {
    const section = readme.slice(readme.indexOf('## Exit status'));
    const rows = [...section.matchAll(/^\| (\d+) \|/gm)].map(([, status]) => Number(status));
    expect(rows).toEqual(EXIT_CODES.map(([status]) => status));
  });
});

describe('docs/testbed.md', () => {
  it('has a row for every command of lab and for no other', async () => {
    const program = await createProgram({ out: () => undefined, err: () => undefined } as unknown as Io);
    const group = program.commands.find((command) => command.name() === 'lab');
    const rows = [...read('docs/testbed.md').matchAll(/^\| `vhostlab lab ([a-z]+)[ `]/gm)].map(
      ([, name]) => name,
    );
    const names = group?.commands.map((command) => command.name()).filter((name) => name !== 'supervise');
    expect([...new Set(rows)].toSorted()).toEqual(names?.toSorted());
  });
});

describe('docs/vhost-user.md', () => {
  const page = read('docs/vhost-user.md');

  it('has a row for every form of --port', () => {
    expect(PORT_FORMS.filter((form) => !page.includes(`| \`${form}\` |`))).toEqual([]);
  });

  it('has a row for every command of vhost-user and for no other', async () => {
    const program = await createProgram({ out: () => undefined, err: () => undefined } as unknown as Io);
    const group = program.commands.find((command) => command.name() === 'vhost-user');
    const rows = [...page.matchAll(/^\| `vhostlab vhost-user ([a-z]+)` \|/gm)].map(([, name]) => name);
    expect(rows.toSorted()).toEqual(group?.commands.map((command) => command.name()).toSorted());
  });
});
