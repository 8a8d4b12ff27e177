import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roundTicks } from '../src/chart-spec.ts';
import { coresChart, latencyChart, throughputChart } from '../src/figure-charts.ts';
import { axisFigure, duration, figure } from '../src/format.ts';
import { StagePalette, stageFamily } from '../src/palette.ts';
import { stageChart, stageRows } from '../src/stage-chart.ts';
import { timedSteps, timelineChart } from '../src/timeline-chart.ts';
import { sampleReport } from './sample-report.ts';

const pvp = sampleReport.results.filter(({ workload }) => workload === 'pvp');
const rr = sampleReport.results.filter(({ workload }) => workload === 'rr');

describe('figures', () => {
  it.each([
    [0, '0'],
    [0.0123, '0.0123'],
    [0.0004, '< 0.001'],
    [8.1, '8.10'],
    [12.34, '12.3'],
    [999.4, '999'],
    [1240, '1,240'],
  ])('%d is written %s', (value, text) => {
    expect(figure(value)).toBe(text);
  });

  it('writes times in the unit that fits', () => {
    expect([67, 1970, 2_100_000].map(duration)).toEqual(['67.0 ns', '1.97 µs', '2.10 ms']);
    expect([0, 0.5, 20, 1500].map(axisFigure)).toEqual(['0', '0.5', '20', '1,500']);
  });
});

describe('roundTicks', () => {
  it('covers the values in about the wanted number of round steps', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-6, max: 1e9, noNaN: true }),
        fc.integer({ min: 3, max: 8 }),
        (top, wanted) => {
          const { max, ticks } = roundTicks(top, wanted, String);
          expect(max).toBeGreaterThanOrEqual(top * (1 - 1e-9));
          expect(ticks.length).toBeGreaterThanOrEqual(2);
          expect(ticks.length).toBeLessThanOrEqual(wanted + 2);
          expect(ticks[0].at).toBe(0);
        },
      ),
    );
  });

  it('has an axis for nothing at all', () => {
    expect(roundTicks(0, 4, axisFigure).max).toBeGreaterThan(0);
  });
});

describe('charts of figures', () => {
  it('are linear where the figures allow it', () => {
    const chart = latencyChart('rr', rr);
    const net = chart.bars.filter(({ row }) => row === 0);
    expect(net.map(({ from, to }) => [from, to])).toEqual([
      [0, 58.2],
      [58.2, rr[0].latency_us.p99],
    ]);
    expect(chart.caption).not.toContain('logarithmic');
  });

  it('turn logarithmic, and say so, when back ends lie far apart', () => {
    const chart = latencyChart('pvp', pvp);
    expect(chart.caption).toContain('logarithmic');
    expect(chart.ticks.map(({ at, label }) => [at, label])).toEqual([
      [0, '10'],
      [1, '100'],
      [2, '1,000'],
    ]);
    expect(chart.bars[0].to).toBeCloseTo(Math.log10(1240) - 1);
    expect(Math.max(...chart.bars.map(({ to }) => to))).toBeLessThanOrEqual(chart.max);
  });

  it('count transactions where a workload has them', () => {
    expect(throughputChart('rr', rr).bars[0]).toMatchObject({ to: 0.0172 * 1000, after: '17.2' });
    expect(throughputChart('pvp', pvp).bars[1].after).toBe('8.41 · 4.31 Gbps');
  });

  it('show host and guest cores one after the other', () => {
    const [host, guest] = coresChart('pvp', pvp).bars;
    expect([host.from, host.to, guest.from]).toEqual([0, 1.86, 1.86]);
    expect(guest.to).toBeCloseTo(2.86);
  });
});

describe('stage chart', () => {
  const stages = sampleReport.stages.filter(({ workload }) => workload === 'pvp');
  const rows = stageRows(stages, ['vhost-net', 'vfio']);

  it('has a row per back end and payer, an empty one for a host that does nothing', () => {
    expect(rows.map(({ backend, account }) => `${backend} ${account}`)).toEqual([
      'vhost-net guest',
      'vhost-net host',
      'vhost-net hardware',
      'vfio guest',
      'vfio host',
      'vfio hardware',
    ]);
    expect(rows[4].totalNs).toBe(0);
  });

  it('stacks segments without gap up to the total', () => {
    const chart = stageChart('pvp', rows, new StagePalette());
    rows.forEach(({ totalNs }, row) => {
      const bars = chart.bars.filter((bar) => bar.row === row);
      expect(bars[0].from).toBe(0);
      for (let i = 1; i < bars.length; i++) expect(bars[i].from).toBe(bars[i - 1].to);
      expect(bars[bars.length - 1].to).toBeCloseTo(totalNs);
    });
    expect(chart.separators).toEqual([3]);
    expect(chart.rows[0]).toBe('vhost-net  guest');
    expect(chart.rows[1]).toBe('host');
  });
});

describe('timeline', () => {
  const step = (stage: string, core: string, start_ns: number, end_ns: number) => ({
    stage,
    core,
    start_ns,
    end_ns,
  });
  const journey = {
    workload: 'tx',
    backend: 'vhost-net',
    packet: 7,
    steps: [
      step('guest.vring_add', 'guest0.vcpu0', 1000, 1100),
      step('guest.kick', 'guest0.vcpu0', 1100, 1200),
      step('vhost.copy', 'host.vhost0.0', 101_200, 101_300),
      step('tap.xmit', 'host.vhost0.0', 101_300, 101_300),
    ],
  };

  it('measures from the first event and tells waits from work', () => {
    expect(timedSteps(journey).map(({ startNs, endNs, waitNs }) => [startNs, endNs, waitNs])).toEqual([
      [0, 100, 0],
      [100, 200, 0],
      [100_200, 100_300, 100_000],
      [100_300, 100_300, 0],
    ]);
  });

  it('shortens a wait that would hide the work and says how long it was', () => {
    const chart = timelineChart(journey, new StagePalette());
    expect(chart.rows).toEqual(['guest0.vcpu0', 'host.vhost0.0']);
    expect(chart.connections).toEqual([{ fromRow: 0, fromX: 200, toRow: 1, toX: 236, label: '100 µs' }]);
    expect(chart.bars.map(({ row, from }) => [row, from])).toEqual([
      [0, 0],
      [0, 100],
      [1, 236],
      [1, 336],
    ]);
    expect(chart.bars[3].to).toBeGreaterThan(chart.bars[3].from);
    expect(chart.ticks[chart.ticks.length - 1]).toEqual({ at: chart.max, label: '100 µs' });
    expect(chart.caption).toBe('packet 7: 100 µs in 4 steps, 300 ns of it work');
  });

  it('never draws backwards or beyond its axis', () => {
    const arbitrary = fc.array(
      fc.record({ core: fc.constantFrom('a', 'b', 'c'), wait: fc.nat(1e6), work: fc.nat(1e5) }),
      {
        minLength: 1,
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(arbitrary, (list) => {
        let at = 5;
        const steps = list.map(({ core, wait, work }) => {
          const start_ns = at + wait;
          at = start_ns + work;
          return step('vhost.copy', core, start_ns, at);
        });
        const chart = timelineChart({ ...journey, steps }, new StagePalette());
        let x = 0;
        for (const { from, to } of chart.bars) {
          expect(from).toBeGreaterThanOrEqual(x);
          expect(to).toBeGreaterThan(from);
          x = to;
        }
        expect(x).toBe(chart.max);
        expect(chart.ticks.length).toBeLessThanOrEqual(7);
      }),
    );
  });
});

describe('palette', () => {
  it('gives a stage one colour, its family one hue, and different stages different shades', () => {
    const palette = new StagePalette();
    const copy = palette.color('vhost.copy');
    expect(palette.color('vhost.fetch')).not.toEqual(copy);
    expect(palette.color('vhost.copy')).toBe(copy);
    expect(stageFamily('vhost.fetch')).toBe(stageFamily('vhost.copy'));
    expect(stageFamily('idle poll').name).toBe('other');
    expect(palette.families().map(({ family }) => family.name)).toEqual(['vhost']);
    expect(copy.light).toMatch(/^#[0-9a-f]{6}$/);
  });
});
