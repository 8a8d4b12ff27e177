import type { LabState } from './state.ts';

type Nodes = readonly { name: string; kind: string; placement: string; state?: string }[];

/** The lab as a Mermaid flow chart: a box per place, a node per part, an edge per link. */
export function mermaidOf(lab: { name: string; nodes: Nodes; links: LabState['links'] }): string {
  const places = new Map<string, Nodes[number][]>();
  for (const node of lab.nodes) {
    const own = node.placement === 'embedded' ? 'embedded' : `${node.placement} ${node.kind}`;
    places.set(own, [...(places.get(own) ?? []), node]);
  }
  const lines = ['flowchart LR'];
  let number = 0;
  for (const [place, nodes] of places) {
    lines.push(`  subgraph p${number++}["${place}"]`);
    for (const { name, kind, state } of nodes) {
      const more = state === undefined ? kind : `${kind}, ${state}`;
      lines.push(`    ${idOf(name)}["${name}<br/>${more}"]`);
    }
    lines.push('  end');
  }
  if (lab.links.some((link) => link.some((end) => end.startsWith('station:'))))
    lines.push('  station(["station"])');
  for (const [a, b] of lab.links) {
    const [[from, out], [to, into]] = [a.split(':'), b.split(':')];
    const label = out === into ? out : `${out} - ${into}`;
    lines.push(`  ${idOf(from)} ---|"${label}"| ${idOf(to)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** A name as Mermaid takes it: `end` and the like are words of its own. */
function idOf(name: string): string {
  return name === 'station' ? name : `n_${name.replaceAll('-', '_')}`;
}
