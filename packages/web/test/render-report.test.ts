import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { renderReport } from '../src/index.ts';
import { sampleReport } from './sample-report.ts';

const page = renderReport(sampleReport);

describe('renderReport', () => {
  it('says first what was found and that it is modelled, with the profile', () => {
    expect(page).toContain(`<p class="finding">${sampleReport.finding}</p>`);
    expect(page).toContain('Modelled, not measured · cost profile reference');
    expect(page).toContain('<html lang="en">');
    expect(page).toMatch(/<title>vhost-net, vhost-user, vfio, vdpa: pvp and rr · vhostlab<\/title>/);
  });

  it('calls a run on the real clock measured', () => {
    const run = { ...sampleReport.run, clock: 'real' };
    const measured = renderReport({ ...sampleReport, run });
    expect(measured).toContain('Measured on this machine');
    expect(measured).not.toContain('Modelled');
  });

  it('has a row per back end and workload with every figure', () => {
    for (const { workload, backend } of sampleReport.results) {
      const table = page.slice(page.indexOf(`aria-label="Results of ${workload}"`));
      expect(table).toContain(`data-backend="${backend}"`);
    }
    const row = /<tr role="row" data-backend="vhost-net">.*?<\/tr>/s.exec(page)?.[0] ?? '';
    const texts = [...row.matchAll(/data-label="([^"]*)">(.*?)<\/td>/gs)].map(([, label, cell]) => [
      label,
      cell.replaceAll(/<[^>]*>/g, '').trim(),
    ]);
    expect(Object.fromEntries(texts)).toEqual({
      Mpps: '0.944',
      Gbps: '0.483',
      'p50, µs': '1,240',
      'p90, µs': '1,488',
      'p99, µs': '2,108',
      'max, µs': '3,596',
      'host cores': '1.86',
      'guest cores': '1.00',
      'host ns/packet': '1,970',
      'kicks/packet': '0.0210',
      'calls/packet': '0.0180',
      'exits/packet': '0.0240',
      'copies/packet': '2.00',
      'copied B/packet': '128',
      'DMA B/packet': '344',
      'delivered of offered': '352,114 of 400,000',
      dropped: '47,800 tap-queue-full86 guest-ring-full',
      bottleneck: 'host.vhost0.0 tap.xmit',
    });
    expect(page).toContain('<strong>vhost-net</strong> --ring packed: not applicable');
  });

  it('marks only a figure that is alone at the top', () => {
    const best = [...page.matchAll(/data-backend="(\w[\w-]*)">.*?<\/tr>/gs)].map(([row, backend]) => [
      backend,
      (row.match(/[ "]best"/g) ?? []).length,
    ]);
    expect(best.slice(0, 4)).toEqual([
      ['vhost-net', 0],
      ['vhost-user', 0],
      ['vfio', 4],
      ['vdpa', 0],
    ]);
  });

  it('draws a chart in every canvas and has a canvas for every chart, each with a text', () => {
    const json = /<script type="application\/json" id="charts">(.*?)<\/script>/s.exec(page)?.[1] ?? '';
    const charts = JSON.parse(json) as { id: string; summary: string }[];
    const canvases = [...page.matchAll(/<canvas id="([^"]*)" role="img" aria-label="([^"]+)">/g)];
    expect(canvases.map(([, id]) => id)).toEqual(charts.map(({ id }) => id));
    expect(new Set(charts.map(({ id }) => id)).size).toBe(charts.length);
    expect(charts).toHaveLength(2 * (3 + 1 + 4));
  });

  it('loads nothing and allows exactly its own style and scripts', () => {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? '';
    const sha256 = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const style = /<style>(.*?)<\/style>/s.exec(page)?.[1] ?? '';
    const scripts = [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, text]) => text);
    expect(scripts).toHaveLength(2);
    expect(policy).toBe(
      `default-src 'none'; style-src ${sha256(style)}; script-src ${scripts.map(sha256).join(' ')}; base-uri 'none'; form-action 'none'`,
    );
    expect(page).not.toMatch(
      /<(link|img|iframe)\b|<script[^>]* src=| style="|sourceMappingURL|@import|url\(/,
    );
  });

  it('escapes whatever text it is given', () => {
    const evil = `</script><img src=x onerror="alert('1')">&`;
    const hostile = renderReport({
      ...sampleReport,
      finding: evil,
      notes: [evil],
      run: { ...sampleReport.run, command_line: evil, id: evil },
      results: sampleReport.results.map((result) => ({
        ...result,
        drops: { [evil]: 1 },
        bottleneck: { core: evil, stage: evil },
      })),
      journeys: sampleReport.journeys.map((journey) => ({
        ...journey,
        steps: journey.steps.map((step) => ({ ...step, stage: evil, core: evil })),
      })),
    });
    expect(hostile).not.toContain('<img');
    expect(hostile.match(/<script/g)).toHaveLength(3);
    expect(hostile.match(/<\/script/g)).toHaveLength(3);
  });

  it('leaves out what there is nothing to show of', () => {
    const bare = renderReport({ ...sampleReport, stages: [], journeys: [], notes: [] });
    expect(bare).not.toContain('Where the time goes');
    expect(bare).not.toContain('One packet’s path');
    expect(bare).not.toContain('Why the figures moved');
    expect(bare.match(/<canvas/g)).toHaveLength(6);
  });
});
