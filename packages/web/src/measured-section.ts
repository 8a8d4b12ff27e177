import { count } from './format.ts';
import { type Html, html } from './html.ts';
import type { ReportData, ReportMeasurement, ReportProcess } from './report-data.ts';

/** Steps of the colour scale of waits (`heat-0` to `heat-9` of the style). */
const HEAT_STEPS = 10;

/** Parts of a process's time in the order in which they are drawn. */
const PARTS: readonly { key: Exclude<keyof ReportProcess, 'process'>; title: string; meaning: string }[] = [
  { key: 'work_ms', title: 'work', meaning: 'running its cores' },
  { key: 'blocked_ms', title: 'blocked', meaning: 'until batches of its neighbours had arrived' },
  { key: 'waiting_ms', title: 'waiting', meaning: 'until the slowest process was done with the round' },
  { key: 'messages_ms', title: 'messages', meaning: 'to the lab and back, and the lab itself' },
];

/** Where the wall-clock time of runs over several processes went: time of each, who waited for whom, channels, advice. */
export function measuredSection({ machine, runs }: NonNullable<ReportData['measured']>): Html {
  return html`<section aria-labelledby="measured"><h2 id="measured">Where the time of the run went <span class="muted">on the wall clock</span></h2>
<ul class="chips"><li class="measured">Measured, unlike the figures above · ${machine}</li></ul>
${runs.map(runPanel)}</section>`;
}

function runPanel(run: ReportMeasurement): Html {
  const empty = (100 * run.null_message_ratio).toFixed(0);
  return html`<div class="panel"><h3>${run.run}</h3>
<p class="caption">${milliseconds(run.wall_ms)}, ${count(run.rounds)} rounds, ${count(run.windows)} windows, of which ${empty} % carried nothing</p>
<p class="advice">${run.coupling.advice}</p>
<ul class="legend" aria-label="Parts of the time">${PARTS.map(
    ({ key, title, meaning }) => html`<li><span class="swatch ${key}"></span>${title}: ${meaning}</li>`,
  )}</ul>
${run.processes.map((process) => bar(process, run.wall_ms))}
<h4>Who waited for whom</h4>
<div class="scroll" tabindex="0">${waits(run)}</div>
<details><summary>Channels between processes</summary><div class="scroll" tabindex="0">${channels(run)}</div></details></div>
`;
}

/** One process's time as a bar; colours are attributes' and classes', because the page allows no style of an element. */
function bar(process: ReportProcess, wallMs: number): Html {
  let x = 0;
  const pieces = PARTS.map(({ key, title }) => {
    const width = wallMs > 0 ? (1000 * process[key]) / wallMs : 0;
    const piece = html`<rect class="${key}" x="${x.toFixed(1)}" y="0" width="${width.toFixed(1)}" height="10"><title>${title} ${milliseconds(process[key])}</title></rect>`;
    x += width;
    return piece;
  });
  const text = PARTS.map(({ key, title }) => `${title} ${milliseconds(process[key])}`).join(', ');
  return html`<div class="time"><p><b>${process.process}</b> <span class="muted">${text}</span></p><svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="${process.process}: ${text}">${pieces}</svg></div>
`;
}

function waits({ processes, waits: all }: ReportMeasurement): Html {
  const names = processes.map(({ process }) => process);
  const longestMs = Math.max(0, ...all.map(({ ms }) => ms));
  const cell = (process: string, on: string): Html => {
    if (process === on) return html`<td class="muted">–</td>`;
    const ms = all.find((wait) => wait.process === process && wait.on === on)?.ms ?? 0;
    const step = longestMs > 0 ? Math.ceil(((HEAT_STEPS - 1) * ms) / longestMs) : 0;
    return html`<td class="heat-${step}">${milliseconds(ms)}</td>`;
  };
  return html`<table class="waits"><thead><tr><th class="text" scope="col">waited</th>${names.map((name) => html`<th scope="col">for ${name}</th>`)}</tr></thead>
<tbody>${names.map(
    (process) => html`<tr><th scope="row">${process}</th>${names.map((on) => cell(process, on))}</tr>
`,
  )}</tbody></table>`;
}

function channels({ channels: all }: ReportMeasurement): Html {
  return html`<table><thead><tr><th class="text" scope="col">channel</th><th class="text" scope="col">between</th><th scope="col">latency ns</th><th scope="col">batches</th><th scope="col">messages</th><th scope="col">bytes</th><th class="text" scope="col">blocked</th></tr></thead>
<tbody>${all.map(
    (
      channel,
    ) => html`<tr><td class="text">${channel.channel}</td><td class="text">${channel.between.join(' and ')}</td><td>${count(channel.latency_ns)}</td><td>${count(channel.batches)}</td><td>${count(channel.messages)}</td><td>${count(channel.payload_bytes)}</td><td class="text">${Object.entries(
      channel.blocked_ms,
    )
      .map(([process, ms]) => `${process} ${milliseconds(ms)}`)
      .join(', ')}</td></tr>
`,
  )}</tbody></table>`;
}

function milliseconds(ms: number): string {
  return ms >= 100 ? `${count(Math.round(ms))} ms` : `${ms.toFixed(1)} ms`;
}
