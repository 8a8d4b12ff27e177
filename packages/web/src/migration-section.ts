import { count } from './format.ts';
import { type Html, html } from './html.ts';
import type { ReportMigration, ReportResult } from './report-data.ts';

/** The picture's width and the height of each of its two curves, in its own units. */
const WIDTH = 1000;
const CURVE = 60;
const BAND = 12;

const PHASES: Readonly<Record<string, string>> = {
  before: 'before the command',
  setup: 'logs or shadow virtqueues are set up',
  copy: 'memory is copied in rounds',
  shadow: 'memory is copied, every buffer goes through the VMM',
  stop: 'the guest stands still for the last pages',
  resumed: 'the guest goes on at the other host',
};

/** How guests got to other hosts: what it cost over time, by phases and rounds. Undefined when none did. */
export function migrationSection(results: readonly ReportResult[]): Html | undefined {
  const moved = results.filter(({ migration }) => migration !== undefined);
  if (moved.length === 0) return undefined;
  return html`<section aria-labelledby="migrations"><h2 id="migrations">Migrations <span class="muted">in virtual time</span></h2>
${moved.map((result) => panel(result, result.migration as ReportMigration))}</section>`;
}

function panel({ workload, backend }: ReportResult, migration: ReportMigration): Html {
  const { guest, to, state, reason, frames } = migration;
  const said =
    state === 'complete'
      ? `${migration.rounds.length} rounds, ${count(migration.copied_pages)} pages copied of ${count(migration.memory_pages)}; down ${microseconds(migration.downtime_us)}; ${frames.lost} frames lost, ${frames.duplicated} duplicated, ${frames.reordered} reordered; verification ${migration.verification}`
      : state;
  return html`<div class="panel"><h3>${workload}/${backend}: ${guest} to ${to}</h3>
<p class="caption">${said}</p>
${reason === '' ? undefined : html`<p class="advice">${reason}</p>`}
${timeline(migration)}
<details><summary>Phases and rounds</summary><div class="scroll" tabindex="0">${phases(migration)}</div><div class="scroll" tabindex="0">${rounds(migration)}</div></details></div>
`;
}

/** Phases as a band, and below it host cores and exits over time. */
function timeline(migration: ReportMigration): Html {
  const { span_us: span, host_cores: cores, exits } = migration.timeline;
  const endUs = Math.max(span * cores.length, ...migration.phases.map(({ to_us }) => to_us), 1);
  const x = (us: number): number => (WIDTH * us) / endUs;
  const band = migration.phases.map(
    ({ phase, from_us, to_us }) =>
      html`<rect class="phase-${phase}" x="${x(from_us).toFixed(1)}" y="0" width="${Math.max(1, x(to_us) - x(from_us)).toFixed(1)}" height="${BAND}"><title>${phase}: ${microseconds(from_us)} to ${microseconds(to_us)}</title></rect>`,
  );
  const height = BAND + 2 * (CURVE + 8);
  const mostCores = Math.max(0, ...cores);
  const mostExits = Math.max(0, ...exits);
  const words = migration.phases
    .map(
      ({ phase, host_cores, exits: n }) =>
        `${phase} ${host_cores.toFixed(2)} host cores and ${count(n)} exits`,
    )
    .join(', ');
  return html`<ul class="legend" aria-label="Phases">${migration.phases.map(
    ({ phase }) =>
      html`<li><span class="swatch phase-${phase}"></span>${phase}: ${PHASES[phase] ?? phase}</li>`,
  )}</ul>
<div class="migration"><svg viewBox="0 0 ${WIDTH} ${height}" preserveAspectRatio="none" role="img" aria-label="Over ${microseconds(endUs)}: ${words}">${band}
<polyline class="cores" points="${curve(cores, span, x, BAND + 8, mostCores)}"></polyline>
<polyline class="exits" points="${curve(exits, span, x, BAND + CURVE + 16, mostExits)}"></polyline></svg>
<p class="caption"><span class="cores">upper curve: host cores, up to ${mostCores.toFixed(2)}</span>; <span class="exits">lower curve: exits in ${microseconds(span)}, up to ${count(mostExits)}</span>; ${microseconds(endUs)} from left to right</p></div>
`;
}

/** A stepped curve over spans, `CURVE` high, its top at `topY`. */
function curve(
  values: readonly number[],
  span: number,
  x: (us: number) => number,
  topY: number,
  most: number,
): string {
  const y = (value: number): string => (topY + CURVE - (most > 0 ? (CURVE * value) / most : 0)).toFixed(1);
  return values
    .map((value, i) => `${x(i * span).toFixed(1)},${y(value)} ${x((i + 1) * span).toFixed(1)},${y(value)}`)
    .join(' ');
}

function phases({ phases: all }: ReportMigration): Html {
  return html`<table><thead><tr><th class="text" scope="col">phase</th><th scope="col">from</th><th scope="col">to</th><th scope="col">exits</th><th scope="col">host cores (modelled)</th></tr></thead>
<tbody>${all.map(
    (
      one,
    ) => html`<tr><td class="text">${one.phase}</td><td>${microseconds(one.from_us)}</td><td>${microseconds(one.to_us)}</td><td>${count(one.exits)}</td><td>${one.host_cores.toFixed(2)}</td></tr>
`,
  )}</tbody></table>`;
}

function rounds({ rounds: all }: ReportMigration): Html {
  return html`<table><thead><tr><th class="text" scope="col">round</th><th scope="col">pages</th><th scope="col">written by vCPUs</th><th scope="col">by the back end</th><th scope="col">from</th><th scope="col">to</th></tr></thead>
<tbody>${all.map(
    (
      one,
    ) => html`<tr><td class="text">${one.kind}</td><td>${count(one.pages)}</td><td>${count(one.from_vcpus)}</td><td>${count(one.from_backend)}</td><td>${microseconds(one.from_us)}</td><td>${microseconds(one.to_us)}</td></tr>
`,
  )}</tbody></table>`;
}

function microseconds(us: number): string {
  return `${us >= 100 ? count(Math.round(us)) : us.toFixed(1)} µs`;
}
