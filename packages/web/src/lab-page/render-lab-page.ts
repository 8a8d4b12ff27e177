import { count } from '../format.ts';
import { type Html, html } from '../html.ts';
import { measuredSection } from '../measured-section.ts';
import { completePage, pageFile } from '../page-shell.ts';
import { type Box, type LabLayout, layOut } from './graph-layout.ts';
import type { LabPageData } from './lab-page-data.ts';

const LINE_PX = 16;

/**
 * A lab as one HTML file that needs nothing else and runs no script: its graph, its runs, and where the time of its runs
 * went if they had several processes.
 */
export function renderLabPage(data: LabPageData): string {
  const style = pageFile('style.css') + pageFile('lab.css');
  return completePage(`lab ${data.name} · vhostlab`, style, bodyOf(data), []);
}

function bodyOf(data: LabPageData): Html {
  const chips = [
    ...(data.phase === undefined ? ['lab file, not up'] : [data.phase]),
    `${data.clock} clock`,
    `${data.nodes.length} nodes, ${data.links.length} links`,
  ];
  return html`<header>
<p class="brand">vhostlab lab</p>
<h1>${data.name}</h1>
<ul class="chips" aria-label="State of the lab">${chips.map((chip) => html`<li>${chip}</li>`)}</ul>
${data.error === undefined ? undefined : html`<p class="finding">${data.error}</p>`}
</header>
<main>
<section aria-labelledby="graph"><h2 id="graph">Nodes and links</h2>
<div class="panel graph"><div class="wide">${drawing(layOut(data, 'LR'), data)}</div><div class="narrow">${drawing(layOut(data, 'TB'), data)}</div>
<details><summary>As tables</summary><div class="scroll" tabindex="0">${nodesTable(data)}</div><div class="scroll" tabindex="0">${linksTable(data)}</div></details></div></section>
${data.runs.length === 0 ? undefined : runsSection(data)}
${data.measured === undefined ? undefined : measuredSection(data.measured)}
</main>
<footer>Written by vhostlab from <code>${data.file}</code>. This file is complete: it loads nothing from anywhere.</footer>`;
}

function drawing({ width, height, places, nodes, lines }: LabLayout, { name }: LabPageData): Html {
  return html`<svg class="lab" viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}" width="${Math.ceil(width)}" role="img" aria-label="Graph of lab ${name}; the same as tables below">
${places.map(
  (
    place,
  ) => html`<rect class="place" ${geometry(place)} rx="10"/><text class="title" x="${place.x + 10}" y="${place.y + 17}">${place.title}</text>
`,
)}${lines.map(
  ({ points }) =>
    html`<polyline class="link" points="${points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ')}"/>
`,
)}${lines.map(
  ({ label, text }) => html`<rect class="paper" ${geometry(label)} rx="4"/>${texts(text, label, 'label')}
`,
)}${nodes.map(
  ({ node, lines: text, ...box }) =>
    html`<rect class="node ${node.state ?? ''}" ${geometry(box)} rx="8"/>${texts(text, box, 'name')}
`,
)}</svg>`;
}

function geometry({ x, y, width, height }: Box): Html {
  return html`x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}"`;
}

/** Lines of text in the middle of a box; the first one stands out. */
function texts(lines: readonly string[], { x, y, width, height }: Box, first: string): Html {
  const middle = (x + width / 2).toFixed(1);
  const top = y + height / 2 - (lines.length * LINE_PX) / 2 + 12;
  return html`${lines.map(
    (line, i) =>
      html`<text class="${i === 0 ? first : 'more'}" text-anchor="middle" x="${middle}" y="${(top + i * LINE_PX).toFixed(1)}">${line}</text>`,
  )}`;
}

function nodesTable({ nodes }: LabPageData): Html {
  return html`<table><thead><tr><th class="text" scope="col">node</th><th class="text" scope="col">kind</th><th class="text" scope="col">where</th><th class="text" scope="col">state</th></tr></thead>
<tbody>${nodes.map(
    ({ name, kind, place, state }) =>
      html`<tr><th scope="row">${name}</th><td class="text">${kind}</td><td class="text">${place}</td><td class="text">${state ?? '–'}</td></tr>
`,
  )}</tbody></table>`;
}

function linksTable({ links }: LabPageData): Html {
  return html`<table><thead><tr><th class="text" scope="col">link</th><th class="text" scope="col">what is known of it</th></tr></thead>
<tbody>${links.map(
    ({ ends, notes }) =>
      html`<tr><th scope="row">${ends.join(' and ')}</th><td class="text">${notes.join(', ')}</td></tr>
`,
  )}</tbody></table>`;
}

function runsSection({ runs, clock }: LabPageData): Html {
  const kind = clock === 'virtual' ? 'modelled' : 'measured';
  return html`<section aria-labelledby="runs"><h2 id="runs">Runs <span class="muted">${kind}</span></h2>
<div class="panel scroll" tabindex="0"><table><thead><tr><th class="text" scope="col">run</th><th class="text" scope="col">state</th><th scope="col">packets</th><th scope="col">delivered</th><th scope="col">dropped</th><th scope="col">Mpps</th><th scope="col">p50, µs</th></tr></thead>
<tbody>${runs.map(
    (run) =>
      html`<tr><th scope="row">${run.name}</th><td class="text">${run.state}</td><td>${count(run.packets)}</td><td>${count(run.delivered)}</td><td>${run.dropped === undefined ? '–' : count(run.dropped)}</td><td>${run.throughput_mpps?.toFixed(3) ?? '–'}</td><td>${run.p50_us?.toFixed(1) ?? '–'}</td></tr>
`,
  )}</tbody></table></div></section>`;
}
