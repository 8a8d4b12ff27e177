import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { embeddedJson, escapeHtml } from './html.ts';
import { reportBody } from './report-body.ts';
import type { ReportData } from './report-data.ts';

/**
 * The report as one HTML file that needs nothing else: style, script and chart library stand inside, and its
 * content security policy allows exactly them and no connection. Reads the chart library from node_modules.
 */
export function renderReport(data: ReportData): string {
  const { title, body, charts } = reportBody(data);
  const style = pageFile('style.css');
  const scripts = [chartLibrary(), pageFile('client.js')];
  const policy = [
    "default-src 'none'",
    `style-src ${hash(style)}`,
    `script-src ${scripts.map(hash).join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
${body.text}
<script type="application/json" id="charts">${embeddedJson(charts).text}</script>
${scripts.map((script) => `<script>${script}</script>`).join('\n')}
</body>
</html>
`;
}

function pageFile(name: string): string {
  return readFileSync(new URL(`./page/${name}`, import.meta.url), 'utf8');
}

/** Chart.js as one classic script, without the reference to its source map. */
function chartLibrary(): string {
  const entry = createRequire(import.meta.url).resolve('chart.js');
  const text = readFileSync(join(dirname(entry), 'chart.umd.min.js'), 'utf8');
  return text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n');
}

function hash(text: string): string {
  return `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`;
}
