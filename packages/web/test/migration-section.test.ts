import { describe, expect, it } from 'vitest';
import { renderReport } from '../src/index.ts';
import type { ReportMigration } from '../src/report-data.ts';
import { sampleReport } from './sample-report.ts';

const migration: ReportMigration = {
  guest: 'guest0',
  to: 'east',
  state: 'complete',
  reason: 'the base is <untrusted>',
  verification: 'passed',
  memory_pages: 2560,
  copied_pages: 3200,
  downtime_us: 204.5,
  frames: { lost: 0, duplicated: 0, reordered: 0 },
  rounds: [
    { kind: 'all', pages: 2560, from_vcpus: 0, from_backend: 0, from_us: 200, to_us: 300 },
    { kind: 'stop', pages: 640, from_vcpus: 600, from_backend: 41, from_us: 310, to_us: 340 },
  ],
  phases: [
    { phase: 'before', from_us: 0, to_us: 100, exits: 0, host_cores: 0 },
    { phase: 'shadow', from_us: 100, to_us: 300, exits: 1234, host_cores: 1.5 },
    { phase: 'stop', from_us: 300, to_us: 400, exits: 3, host_cores: 0.5 },
  ],
  timeline: { span_us: 100, host_cores: [0, 2, 1, 0.5], exits: [0, 20, 10, 3] },
};

const section = (page: string): string =>
  /<section aria-labelledby="migrations">.*?<\/section>/s.exec(page)?.[0] ?? '';

function pageWith(moved: ReportMigration): string {
  const [first, ...rest] = sampleReport.results;
  return section(renderReport({ ...sampleReport, results: [{ ...first, migration: moved }, ...rest] }));
}

describe('migrations', () => {
  it('stand in the report of a run that has one', () => {
    expect(section(renderReport(sampleReport))).toBe('');
    const page = pageWith(migration);
    expect(page).toContain('guest0 to east');
    expect(page).toContain('2 rounds, 3,200 pages copied of 2,560; down 205 µs; 0 frames lost');
    expect(page).toContain('the base is &lt;untrusted&gt;');
    expect(page).toContain('before 0.00 host cores and 0 exits, shadow 1.50 host cores and 1,234 exits');
    expect(page.match(/<h3>/g)).toHaveLength(1);
  });

  it('draws phases, host cores and exits on one axis', () => {
    const page = pageWith(migration);
    expect(page).toContain('<rect class="phase-shadow" x="250.0" y="0" width="500.0" height="12">');
    expect(page).toContain(
      '<polyline class="cores" points="0.0,80.0 250.0,80.0 250.0,20.0 500.0,20.0 500.0,50.0 750.0,50.0 750.0,65.0 1000.0,65.0">',
    );
    expect(page).toContain('250.0,148.0 250.0,88.0 500.0,88.0');
    expect(page).toContain('<td class="text">stop</td><td>640</td><td>600</td><td>41</td>');
  });

  it('says what became of one that was refused', () => {
    const refused = {
      ...migration,
      state: 'refused',
      rounds: [],
      phases: [],
      reason: 'no VFIO_DEVICE_FEATURE_MIGRATION',
    };
    const page = pageWith({ ...refused, timeline: { span_us: 20, host_cores: [], exits: [] } });
    expect(page).toContain('<p class="caption">refused</p>');
    expect(page).toContain('no VFIO_DEVICE_FEATURE_MIGRATION');
  });
});
