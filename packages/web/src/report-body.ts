import type { ChartSpec } from './chart-spec.ts';
import { coresChart, latencyChart, throughputChart } from './figure-charts.ts';
import { count, duration } from './format.ts';
import { type Html, html } from './html.ts';
import { measuredSection } from './measured-section.ts';
import { migrationSection } from './migration-section.ts';
import { StagePalette } from './palette.ts';
import type { ReportData, ReportJourney, ReportRun } from './report-data.ts';
import { resultsTable } from './results-table.ts';
import { type StageRow, stageChart, stageRows } from './stage-chart.ts';
import { swatch } from './swatch.ts';
import { timedSteps, timelineChart } from './timeline-chart.ts';

const WORKLOADS: Readonly<Record<string, string>> = {
  pvp: 'from the wire through the guest and back to the wire',
  tx: 'the guest sends, the wire receives',
  rx: 'the wire sends, the guest receives',
  v2v: 'one guest sends to another on the same host',
  rr: 'request and response, one at a time',
  stream: 'one bulk TCP stream out of the guest',
};

/** What stands in the page's body, and the charts that the script draws into its canvases. */
export interface ReportBody {
  title: string;
  body: Html;
  charts: ChartSpec[];
}

/** Lays the report out. */
export function reportBody(data: ReportData): ReportBody {
  const workloads = unique(data.results.map(({ workload }) => workload));
  const backends = unique(data.results.map(({ backend }) => backend));
  const palette = new StagePalette();
  const charts: ChartSpec[] = [];
  const canvas = (spec: ChartSpec): Html => {
    charts.push(spec);
    return html`<div class="canvas"><canvas id="${spec.id}" role="img" aria-label="${spec.summary}">${spec.summary}</canvas></div>`;
  };
  const sections = workloads.map((workload) => workloadSection(data, workload, backends, palette, canvas));
  const title = `${backends.join(', ')}: ${workloads.join(' and ')}`;
  const modelled = data.run.clock === 'virtual';
  const body = html`<header>
<p class="brand">vhostlab report</p>
<h1>${heading(backends.length)}</h1>
${chips(data.run, modelled)}
<p class="finding">${data.finding}</p>
</header>
<main>
${sections}
${migrationSection(data.results)}
${data.notes.length > 0 ? notes(data.notes) : undefined}
${data.measured === undefined ? undefined : measuredSection(data.measured)}
${runInformation(data.run, modelled)}
</main>
<footer>Written by vhostlab. This file is complete: it loads nothing from anywhere.</footer>`;
  return { title: `${title} · vhostlab`, body, charts };
}

function heading(backends: number): string {
  const words = [
    '',
    'One virtio back end',
    'Two virtio back ends',
    'Three virtio back ends',
    'Four virtio back ends',
  ];
  return `${words[backends] ?? `${backends} virtio back ends`}, the same packets`;
}

function chips(run: ReportRun, modelled: boolean): Html {
  const nature = modelled
    ? `Modelled, not measured · cost profile ${run.profile}`
    : 'Measured on this machine';
  return html`<ul class="chips" aria-label="Kind of run">
<li class="${modelled ? 'modelled' : 'measured'}">${nature}</li>
<li>seed ${run.seed}</li><li>placement ${run.placement}</li><li>run ${run.id}</li>
</ul>`;
}

function workloadSection(
  data: ReportData,
  workload: string,
  backends: readonly string[],
  palette: StagePalette,
  canvas: (spec: ChartSpec) => Html,
): Html {
  const results = data.results.filter((result) => result.workload === workload);
  const stages = data.stages.filter((stage) => stage.workload === workload);
  const journeys = data.journeys.filter(
    (journey) => journey.workload === workload && journey.steps.length > 0,
  );
  const figures = [throughputChart, latencyChart, coresChart].map((make) => make(workload, results));
  const rows = stageRows(stages, backends);
  const title = WORKLOADS[workload];
  return html`<section aria-labelledby="workload-${workload}">
<h2 id="workload-${workload}">${workload}${title === undefined ? '' : html` <span class="muted">${title}</span>`}</h2>
<div class="panel">${resultsTable(workload, results)}</div>
<div class="grid">${figures.map((spec) => html`<div class="panel">${chartHead(spec)}${canvas(spec)}</div>`)}</div>
${rows.length > 0 ? stagePanel(stageChart(workload, rows, palette), rows, palette, canvas) : undefined}
${journeys.length > 0 ? paths(journeys, palette, canvas) : undefined}
</section>
`;
}

function chartHead({ title, caption }: ChartSpec): Html {
  return html`<h3>${title}</h3><p class="caption">${caption}</p>`;
}

function stagePanel(
  spec: ChartSpec,
  rows: readonly StageRow[],
  palette: StagePalette,
  canvas: (spec: ChartSpec) => Html,
): Html {
  const table = html`<table><thead><tr><th class="text" scope="col">back end</th><th class="text" scope="col">paid by</th><th class="text" scope="col">stage</th><th scope="col">ns/packet</th></tr></thead>
<tbody>${rows.flatMap(({ backend, account, stages }) =>
    stages.map(
      ({ stage, ns_per_packet: ns }) =>
        html`<tr><td class="text">${backend}</td><td class="text">${account}</td><td class="text">${stage}</td><td>${ns.toFixed(ns < 10 ? 2 : 1)}</td></tr>
`,
    ),
  )}</tbody></table>`;
  return html`<div class="panel">${chartHead(spec)}
${legend(palette)}
${canvas(spec)}
<details><summary>Numbers</summary><div class="scroll" tabindex="0">${table}</div></details></div>`;
}

function legend(palette: StagePalette): Html {
  return html`<ul class="legend" aria-label="Colours">${palette
    .families()
    .map(({ family, color }) => html`<li>${swatch(color)}${family.title}</li>`)}</ul>`;
}

function paths(
  journeys: readonly ReportJourney[],
  palette: StagePalette,
  canvas: (spec: ChartSpec) => Html,
): Html {
  const specs = journeys.map((journey) => timelineChart(journey, palette));
  return html`<div class="panel"><h3>One packet’s path</h3>
<p class="caption">A sampled packet of median time on each back end; one row per core. A line is a hand-over. Waits that are long against the work are shortened (dashed, with their time), so the axis is not linear.</p>
${legend(palette)}</div>
${journeys.map(
  (journey, i) => html`<div class="panel">${chartHead(specs[i])}${canvas(specs[i])}
<details><summary>Steps</summary><div class="scroll" tabindex="0">${stepTable(journey)}</div></details></div>
`,
)}`;
}

function stepTable(journey: ReportJourney): Html {
  const rows = timedSteps(journey).map(
    ({ stage, core, startNs, endNs, waitNs }, i) =>
      html`<tr><td>${i + 1}</td><td class="text">${stage}</td><td class="text">${core}</td><td>${duration(startNs)}</td><td>${waitNs > 0 ? duration(waitNs) : '–'}</td><td>${duration(endNs - startNs)}</td></tr>
`,
  );
  return html`<table><thead><tr><th scope="col">step</th><th class="text" scope="col">stage</th><th class="text" scope="col">core</th><th scope="col">starts at</th><th scope="col">after waiting</th><th scope="col">takes</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function notes(sentences: readonly string[]): Html {
  return html`<section aria-labelledby="why"><h2 id="why">Why the figures moved</h2>
<ul class="panel notes">${sentences.map((sentence) => html`<li>${sentence}</li>`)}</ul></section>`;
}

function runInformation(run: ReportRun, modelled: boolean): Html {
  const rows: [string, Html | string][] = [
    [
      'Kind',
      modelled
        ? 'Modelled: components moved real descriptors and bytes in virtual time; what each step costs comes from the cost profile. No figure here was measured on hardware.'
        : 'Measured in real time on this machine.',
    ],
    [
      'Cost profile',
      run.profile_description === undefined ? run.profile : `${run.profile}: ${run.profile_description}`,
    ],
    ['Command line', html`<code>${run.command_line}</code>`],
    ['Seed', count(run.seed)],
    ['Placement', run.placement],
    [
      'Versions',
      Object.entries(run.versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
  ];
  const options = Object.entries(run.options ?? {});
  if (options.length > 0) {
    rows.push(['Options', options.map(([name, value]) => `${name} ${value}`).join(', ')]);
  }
  if (run.event_log_sha256 !== undefined) {
    rows.push(['Event log SHA-256', html`<code>${run.event_log_sha256}</code>`]);
  }
  return html`<section aria-labelledby="run"><h2 id="run">About this run</h2>
<div class="panel"><dl class="run">${rows.map(
    ([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>
`,
  )}</dl></div></section>`;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
