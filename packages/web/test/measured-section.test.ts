import { describe, expect, it } from 'vitest';
import { type ReportData, renderReport } from '../src/index.ts';
import { sampleReport } from './sample-report.ts';

const measured: NonNullable<ReportData['measured']> = {
  machine: 'a machine with 2 CPUs',
  runs: [
    {
      run: 'pvp/vhost-user',
      wall_ms: 1000,
      rounds: 1234,
      windows: 2000,
      null_message_ratio: 0.41,
      processes: [
        { process: 'guest', work_ms: 200, blocked_ms: 0, waiting_ms: 700, messages_ms: 100 },
        { process: 'nic', work_ms: 850, blocked_ms: 50, waiting_ms: 0, messages_ms: 100 },
      ],
      waits: [
        { process: 'guest', on: 'nic', ms: 700 },
        { process: 'nic', on: 'guest', ms: 350 },
      ],
      channels: [
        {
          channel: 'vq.0.0',
          between: ['guest', 'nic'],
          latency_ns: 250,
          batches: 10,
          messages: 20,
          payload_bytes: 3000,
          blocked_ms: { nic: 50 },
        },
      ],
      coupling: { lambda: 0.05, advice: 'λ = 0.05, below 1: <cut> elsewhere.' },
    },
  ],
};

const section = (page: string): string =>
  /<section aria-labelledby="measured">.*?<\/section>/s.exec(page)?.[0] ?? '';

describe('where the time of a run went', () => {
  it('stands in the report of a run over several processes only', () => {
    expect(section(renderReport(sampleReport))).toBe('');
    const page = section(renderReport({ ...sampleReport, measured }));
    expect(page).toContain('Measured, unlike the figures above · a machine with 2 CPUs');
    expect(page).toContain('1,000 ms, 1,234 rounds, 2,000 windows, of which 41 % carried nothing');
    expect(page).toContain('below 1: &lt;cut&gt; elsewhere.');
  });

  it('draws each process in proportion, and says the same in words', () => {
    const page = section(renderReport({ ...sampleReport, measured }));
    const bars = [...page.matchAll(/<svg.*?<\/svg>/gs)].map(([svg]) =>
      [...svg.matchAll(/<rect class="(\w+)" x="([\d.]+)" y="0" width="([\d.]+)"/g)].map(
        ([, ...parts]) => parts,
      ),
    );
    expect(bars[0]).toEqual([
      ['work_ms', '0.0', '200.0'],
      ['blocked_ms', '200.0', '0.0'],
      ['waiting_ms', '200.0', '700.0'],
      ['messages_ms', '900.0', '100.0'],
    ]);
    expect(page).toContain('aria-label="nic: work 850 ms, blocked 50.0 ms, waiting 0.0 ms, messages 100 ms"');
  });

  it('colours who waited for whom by its share of the longest', () => {
    const page = section(renderReport({ ...sampleReport, measured }));
    const rows = [...page.matchAll(/<tr><th scope="row">(\w+)<\/th>(.*?)<\/tr>/gs)].map(([, name, cells]) => [
      name,
      ...[...cells.matchAll(/<td class="([^"]*)">([^<]*)/g)].map(([, style, text]) => `${style} ${text}`),
    ]);
    expect(rows).toEqual([
      ['guest', 'muted –', 'heat-9 700 ms'],
      ['nic', 'heat-5 350 ms', 'muted –'],
    ]);
  });
});
