import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { escapeHtml, type Html } from './html.ts';

/**
 * A page that needs nothing else: its content security policy allows its own style and scripts, and no connection.
 * `data` stands before the scripts.
 */
export function completePage(
  title: string,
  style: string,
  body: Html,
  scripts: readonly string[],
  data = '',
): string {
  const policy = [
    "default-src 'none'",
    `style-src ${hash(style)}`,
    ...(scripts.length === 0 ? [] : [`script-src ${scripts.map(hash).join(' ')}`]),
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
${data}${scripts.map((script) => `<script>${script}</script>`).join('\n')}
</body>
</html>
`;
}

/** A file of the folder of page parts. */
export function pageFile(name: string): string {
  return readFileSync(new URL(`./page/${name}`, import.meta.url), 'utf8');
}

function hash(text: string): string {
  return `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`;
}
