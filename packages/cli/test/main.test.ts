import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { register as registerList } from '../src/commands/list.ts';
import { OperatorError, reportError } from '../src/errors.ts';
import { main } from '../src/main.ts';
import { createProgress } from '../src/progress.ts';
import { renderTable } from '../src/table.ts';
import { fakeIo } from './fake-io.ts';

describe('errors', () => {
  it('are one sentence with the status they carry', () => {
    expect(reportError(new OperatorError('no file "a.pcap"; check --pcap'), false)).toEqual({
      exitCode: 2,
      text: 'vhostlab: no file "a.pcap"; check --pcap',
    });
    const died = Object.assign(new Error('service nic was killed'), { exitCode: 3 });
    expect(reportError(died, false)).toEqual({ exitCode: 3, text: 'vhostlab: service nic was killed' });
  });

  it('of our own end with status 1 and show the stack only when debugging', () => {
    const error = new TypeError('x is not a function');
    const quiet = reportError(error, false);
    expect(quiet).toMatchObject({ exitCode: 1 });
    expect(quiet.text).toBe(
      'vhostlab: internal error: x is not a function (LOG_LEVEL=debug prints the stack)',
    );
    expect(reportError(error, true).text).toContain('main.test.ts');
    expect(reportError(Object.assign(new Error('odd'), { exitCode: 0 }), false).exitCode).toBe(1);
    expect(reportError('a string', false)).toEqual({
      exitCode: 1,
      text: 'vhostlab: internal error: a string',
    });
  });

  it('of an abort count as interrupted', () => {
    const controller = new AbortController();
    controller.abort();
    expect(reportError(controller.signal.reason, false).exitCode).toBe(130);
  });
});

describe('main', () => {
  it('writes through its Io and gives the exit status', async () => {
    const io = fakeIo();
    expect(await main(['doctor'], io)).toBe(0);
    expect(io.stdout()).toMatch(/^Node\s+24|^Node\s+\d/m);
    expect(await main(['nosuch'], io)).toBe(2);
    expect(io.stderr()).toContain("unknown command 'nosuch'");
  });
});

describe('list', () => {
  const catalogue = {
    backends: async () => [
      { name: 'vhost-net', description: 'kernel worker' },
      { name: 'vdpa', description: 'the NIC' },
    ],
    profiles: async () => [],
    workloads: async () => [{ name: 'pvp', description: 'through the guest and back' }],
  };

  async function list(...args: string[]): Promise<string> {
    const io = fakeIo();
    const program = new Command('vhostlab');
    registerList(program, io, async () => catalogue);
    await program.parseAsync(['list', ...args], { from: 'user' });
    return io.stdout();
  }

  it('prints a table', async () => {
    expect(await list('backends')).toBe(
      [
        'name       description',
        '------------------------',
        'vhost-net  kernel worker',
        'vdpa       the NIC',
        '',
      ].join('\n'),
    );
  });

  it('prints JSON', async () => {
    expect(JSON.parse(await list('workloads', '--json'))).toEqual(await catalogue.workloads());
  });
});

describe('table', () => {
  it('aligns figures to the right and keeps its title row when empty', () => {
    const columns = [{ title: 'name' }, { title: 'Mpps', align: 'right' as const }];
    expect(
      renderTable(columns, [
        ['a', '1.5'],
        ['bb', '10.25'],
      ]),
    ).toBe(['name   Mpps', '-----------', 'a       1.5', 'bb    10.25', ''].join('\n'));
    expect(renderTable(columns, [])).toBe('name  Mpps\n----------\n');
  });
});

describe('progress', () => {
  function progressAt(isTerminal: boolean): {
    written: string[];
    at(ms: number, text: string): void;
    done(): void;
  } {
    const written: string[] = [];
    let now = 0;
    const progress = createProgress({
      write: (text) => void written.push(text),
      isTerminal,
      nowMs: () => now,
    });
    return {
      written,
      at: (ms, text) => {
        now = ms;
        progress.update(text);
      },
      done: () => progress.done(),
    };
  }

  it('rewrites one line on a terminal, ten times a second at most, and removes it', () => {
    const line = progressAt(true);
    line.at(0, 'a');
    line.at(99, 'b');
    line.at(100, 'c');
    line.done();
    expect(line.written).toEqual(['\r\u001b[Ka', '\r\u001b[Kc', '\r\u001b[K']);
  });

  it('prints a plain line every five seconds elsewhere, none for a short command', () => {
    const line = progressAt(false);
    line.at(1, 'a');
    line.at(4_999, 'b');
    line.at(5_000, 'c');
    line.at(9_999, 'd');
    line.at(10_000, 'e');
    line.done();
    expect(line.written).toEqual(['c\n', 'e\n']);
  });
});
