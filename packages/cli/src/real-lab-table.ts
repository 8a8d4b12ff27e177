import type { LabState } from '@vhostlab/lab';
import { renderTable } from './table.ts';

/** A lab on the real clock as text: its phase, a table of programs, a table of what they were asked for. */
export function renderRealLab(state: LabState): string {
  const nodes = renderTable(
    ['node', 'kind', 'pid', 'state', 'has met'].map((title) => ({ title })),
    state.nodes.map((node) => [
      node.name,
      node.kind,
      String(node.pid ?? ''),
      node.state,
      node.neighbours.join(', '),
    ]),
  );
  const runs = renderTable(
    ['run', 'state', 'result'].map((title) => ({ title })),
    state.runs.map(({ name, state: how, result = '' }) => [name, how, result]),
  );
  const lines = [
    `lab ${state.name} (real clock): ${state.phase}${state.error === undefined ? '' : `: ${state.error}`}`,
    '',
    nodes,
    ...(state.runs.length === 0 ? [] : [runs]),
    ...(state.run_folder === undefined ? [] : [`run folder ${state.run_folder}`]),
  ];
  return `${lines.join('\n')}\n`;
}
