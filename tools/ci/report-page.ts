import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';

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
const WORKLOADS = ['pvp', 'rr'];
const BACKENDS = ['vhost-net', 'vhost-user', 'vfio', 'vdpa'];
const VHOSTLAB = fileURLToPath(new URL('../../packages/cli/bin/vhostlab.mjs', import.meta.url));
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
async function problemsOf(page: Page): Promise<string[]> {
  const found = (await page.evaluate(PAGE_FACTS)) as PageFacts;
  const problems: string[] = [];
  if (found.canvases === 0) problems.push('there is no chart');
  for (const id of found.blank) problems.push(`chart ${id} is blank`);
  for (const id of found.silent) problems.push(`chart ${id} has no text for a screen reader`);
  if (found.overflow > 0) problems.push(`the page is ${found.overflow} pixels wider than the window`);
  for (const backend of BACKENDS) {
    const rows = found.rows.filter((name) => name === backend).length;
    if (rows !== WORKLOADS.length)
      problems.push(`${rows} table rows for ${backend}, not ${WORKLOADS.length}`);
  }
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
): Promise<string[]> {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, offline: true });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      problems.push(`console: ${message.text()}`);
    }
  });
  page.on('pageerror', (error) => problems.push(`page error: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith('file:')) problems.push(`request to ${request.url()}`);
  });
  await page.goto(pathToFileURL(path).href, { waitUntil: 'load' });
  await page.waitForTimeout(300);
  problems.push(...(await problemsOf(page)));
  await page.screenshot({ path: join(folder, `${width}-${colorScheme}.png`), fullPage: true });
  await context.close();
  return problems.map((problem) => `${width} px, ${colorScheme}: ${problem}`);
}

const folder = mkdtempSync(join(tmpdir(), 'vhostlab-page-'));
const run = join(folder, 'run');
const options = ['--workload', WORKLOADS.join(','), '--packets', '2000', '--out', run];
execFileSync(process.execPath, [VHOSTLAB, 'compare', ...options], { stdio: ['ignore', 'ignore', 'inherit'] });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
const problems: string[] = [];
try {
  for (const width of WIDTHS) {
    for (const theme of ['light', 'dark'] as const) {
      problems.push(...(await inspect(browser, join(run, 'report.html'), width, theme, folder)));
    }
  }
} finally {
  await browser.close();
}
for (const problem of problems) console.error(problem);
console.log(`screenshots in ${folder}`);
process.exitCode = problems.length === 0 ? 0 : 1;
