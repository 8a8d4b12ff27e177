import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { embeddedJson } from './html.ts';
import { completePage, pageFile } from './page-shell.ts';
import { reportBody } from './report-body.ts';
import type { ReportData } from './report-data.ts';

/**
 * The report as one HTML file that needs nothing else: style, script and chart library stand inside, and its
 * content security policy allows exactly them and no connection. Reads the chart library from node_modules.
 */
export function renderReport(data: ReportData): string {
  const { title, body, charts } = reportBody(data);
  const charted = `<script type="application/json" id="charts">${embeddedJson(charts).text}</script>\n`;
  return completePage(title, pageFile('style.css'), body, [chartLibrary(), pageFile('client.js')], charted);
}

/** Chart.js as one classic script, without the reference to its source map. */
function chartLibrary(): string {
  const entry = createRequire(import.meta.url).resolve('chart.js');
  const text = readFileSync(join(dirname(entry), 'chart.umd.min.js'), 'utf8');
  return text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
}
