import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { renderReport } from '../../packages/web/src/index.ts';
import { sampleReport } from '../../packages/web/test/sample-report.ts';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const WIDTHS = [1280, 390];
const PAGE_FACTS = readFileSync(new URL('./page-facts.js', import.meta.url), 'utf8');

/** What page-facts.js finds in a page. */
interface PageFacts {
  canvases: number;
  /** Ids of canvases without a picture, and of those without a text. */
  blank: string[];
  silent: string[];
  /** Pixels by which the page is wider than the window. */
  overflow: number;
  /** Back ends of the rows of all results tables. */
  rows: string[];
  title: string;
  lang: string;
}

/** What is wrong with a page at one width, one sentence each. */
async function problemsOf(page: Page, rows: readonly string[]): Promise<string[]> {
  const found = (await page.evaluate(PAGE_FACTS)) as PageFacts;
  const problems: string[] = [];
  if (found.canvases === 0) problems.push('there is no chart');
  for (const id of found.blank) problems.push(`chart ${id} is blank`);
  for (const id of found.silent) problems.push(`chart ${id} has no text for a screen reader`);
  if (found.overflow > 0) problems.push(`the page is ${found.overflow} pixels wider than the window`);
  for (const name of rows) if (!found.rows.includes(name)) problems.push(`no table row for ${name}`);
  if (found.title === '' || found.lang === '') problems.push('the page lacks a title or a language');
  return problems;
}

/** Opens a report at one width and theme, saves a screenshot and says what is wrong. */
async function inspect(
  browser: Browser,
  path: string,
  width: number,
  colorScheme: 'light' | 'dark',
  folder: string,
  rows: readonly string[],
): Promise<string[]> {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, offline: true });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning')
      problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`page error: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith('file:')) problems.push(`request to ${request.url()}`);
  });
  await page.goto(pathToFileURL(path).href, { waitUntil: 'load' });
  await page.waitForTimeout(300);
  problems.push(...(await problemsOf(page, rows)));
  await page.screenshot({ path: join(folder, `${width}-${colorScheme}.png`), fullPage: true });
  await context.close();
  return problems.map((problem) => `${width} px, ${colorScheme}: ${problem}`);
}

const folder = mkdtempSync(join(tmpdir(), 'vhostlab-page-'));
const path = join(folder, 'report.html');
writeFileSync(path, renderReport(sampleReport));
const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
const problems: string[] = [];
try {
  for (const width of WIDTHS) {
    for (const theme of ['light', 'dark'] as const) {
      problems.push(
        ...(await inspect(browser, path, width, theme, folder, ['vhost-net', 'vhost-user', 'vfio', 'vdpa'])),
      );
    }
  }
} finally {
  await browser.close();
}
for (const problem of problems) console.error(problem);
console.log(`screenshots in ${folder}`);
process.exitCode = problems.length === 0 ? 0 : 1;
