import { type LabState, migrationNotes, swapNotes } from '@vhostlab/lab';
import { renderMeasured } from './measured-table.ts';
import { migrationLines } from './migration-table.ts';
import { renderRealLab } from './real-lab-table.ts';
import { renderTable } from './table.ts';

/** What became of each event in each run, a line each. */
function eventLines({ runs }: LabState): string[] {
  return runs.flatMap(({ name, events = [] }) =>
    events.map(
      ({ at_us, event, took_effect }) =>
        `${name}, at ${at_us} us: ${event}${took_effect ? '' : ' (no effect: the run was over by then)'}`,
    ),
  );
}

/** How guests got to other back ends, a line each. */
function swapLines({ runs }: LabState): string[] {
  return runs.flatMap(({ name, swaps }) => swapNotes(swaps).map((note) => `${name}: ${note}`));
}

/** A lab as text: its phase, a table of nodes, a table of runs. */
export function renderLab(state: LabState): string {
  if (state.clock === 'real') return renderRealLab(state);
  const nodes = renderTable(
    ['node', 'kind', 'placement', 'address', 'pid', 'state', 'has met'].map((title) => ({ title })),
    state.nodes.map((node) => [
      node.name,
      node.kind,
      node.placement,
      node.address,
      node.container ?? (node.pid === undefined ? '' : String(node.pid)),
      node.state,
      node.neighbours.join(', '),
    ]),
  );
  const runs = renderTable(
    [
      { title: 'run' },
      { title: 'state' },
      { title: 'packets', align: 'right' },
      { title: 'delivered', align: 'right' },
      { title: 'dropped', align: 'right' },
      { title: 'Mpps (modelled)', align: 'right' },
      { title: 'p50 us', align: 'right' },
    ],
    state.runs.map((run) => [
      run.name,
      run.state,
      String(run.packets),
      String(run.delivered),
      run.dropped === undefined ? '' : String(run.dropped),
      run.throughput_mpps === undefined ? '' : run.throughput_mpps.toFixed(3),
      run.p50_us === undefined ? '' : run.p50_us.toFixed(1),
    ]),
  );
  const lines = [
    `lab ${state.name}: ${state.phase}${state.error === undefined ? '' : `: ${state.error}`}`,
    '',
    nodes,
    runs,
    ...eventLines(state),
    ...migrationLines(state, migrationNotes),
    ...swapLines(state),
    ...(state.event_log_sha256 === undefined ? [] : [`event log ${state.event_log_sha256}`]),
    ...(state.measured === undefined ? [] : ['', renderMeasured(state.measured)]),
    ...(state.run_folder === undefined ? [] : [`run folder ${state.run_folder}`]),
  ];
  return `${lines.join('\n')}\n`;
}
