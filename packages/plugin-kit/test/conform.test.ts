import { describe, expect, it } from 'vitest';
import {
  conformPlugin,
  openPlugin,
  PLUGIN_CHECKS,
  pluginJunit,
  pluginReportJson,
  pluginSummary,
  readExpectedFailures,
  selectPluginChecks,
} from '../src/index.ts';
import { joined } from './support/joined.ts';

const QUICK = ['handshake.*', 'validate.*', 'burst.*', 'data.split', 'data.packed', 'schedule.*'];

describe('a good burst plugin', () => {
  it('passes, and what is not its business is not claimed', async () => {
    const report = await conformPlugin(await openPlugin({ plugin: joined() }), { only: QUICK });
    const bad = report.results.filter(({ verdict }) => verdict !== 'passed');
    expect(bad.map(({ check, observed }) => [check.id, observed])).toEqual([
      ['schedule.split', 'the host handles the rings of a burst plugin'],
      ['schedule.packed', 'the host handles the rings of a burst plugin'],
    ]);
    expect(report.failures).toBe(0);
    expect(pluginSummary(report)).toMatch(
      /joined \(burst plugin\).*\n +\d+ {2}required passed\n +2 {2}not claimed\nno failure/,
    );
  });
});

describe('expected failures', () => {
  const noJson = { options: undefined as never, create: joined().create };

  it('are no failures, and a pass in their place is one', async () => {
    const expected = new Map([['validate.good', 'see ticket 7']]);
    const report = await conformPlugin(await openPlugin({ plugin: joined(noJson) }), {
      only: ['validate.good'],
      expected,
    });
    expect(report.results[0]?.verdict).toBe('unexpected-pass');
    expect(report.failures).toBe(1);
  });

  it('are read with their reasons', () => {
    const text = '# known\nburst.sizes  no frames above 9 KiB # yet\n\nvalidate.good ticket 7\n';
    expect([...readExpectedFailures(text, 'x')]).toEqual([
      ['burst.sizes', 'no frames above 9 KiB'],
      ['validate.good', 'ticket 7'],
    ]);
  });

  it.each([
    ['burst.nothing why', 'x:1: no check is named burst.nothing'],
    ['burst.sizes', 'x:1: burst.sizes needs a reason'],
    ['burst.sizes a\nburst.sizes b', 'x:2: burst.sizes stands there twice'],
  ])('are refused: %s', (text, message) => {
    expect(() => readExpectedFailures(text, 'x')).toThrow(message);
  });
});

describe('a report', () => {
  it('is JUnit and JSON', async () => {
    const create = () => ({ burst: () => undefined });
    const report = await conformPlugin(await openPlugin({ plugin: joined({ create }) }), {
      only: ['burst.answer', 'burst.empty', 'schedule.split'],
    });
    const xml = pluginJunit(report);
    expect(xml).toContain('tests="3" failures="1" errors="0" skipped="1"');
    expect(xml).toContain('<failure message="required failed: burst 1: 0 of 1 frames');
    expect(pluginReportJson(report)).toMatchObject({
      plugin: { name: 'joined', depth: 'burst' },
      failures: 1,
      results: [{ id: 'burst.answer', verdict: 'failed' }, { verdict: 'passed' }, { verdict: 'not-claimed' }],
    });
  });

  it('has checks of unique names, which are chosen by pattern', () => {
    const ids = PLUGIN_CHECKS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(selectPluginChecks(['schedule.*']).map(({ id }) => id)).toEqual([
      'schedule.split',
      'schedule.packed',
    ]);
    expect(() => selectPluginChecks(['no.such'])).toThrow('no check is named no.such');
  });
});
