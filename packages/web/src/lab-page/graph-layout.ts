import { Graph, layout } from '@dagrejs/dagre';
import type { LabPageData, LabPageNode } from './lab-page-data.ts';

/** A box with text, its corner and size in pixels of the drawing. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A line between two nodes and where its text stands (middle of the box). */
export interface Line {
  points: readonly { x: number; y: number }[];
  label: Box;
  /** First the ports, then the notes. */
  text: readonly string[];
}

/** A lab laid out. */
export interface LabLayout {
  width: number;
  height: number;
  places: readonly (Box & { title: string })[];
  nodes: readonly (Box & { node: LabPageNode; lines: readonly string[] })[];
  lines: readonly Line[];
}

const LINE_PX = 16;
const CHARACTER_PX = 6.7;
const PADDING_PX = 12;
const TITLE_PX = 18;
/** Name of the far end of the wire in links of labs that do not list it as a node. */
const STATION = 'station';

/** Lays a lab out from left to right, or from top to bottom for narrow windows. */
export function layOut(data: LabPageData, direction: 'LR' | 'TB'): LabLayout {
  const graph = new Graph({ compound: true, multigraph: true });
  const gap = direction === 'LR' ? 36 : 22;
  graph.setGraph({ rankdir: direction, nodesep: gap, ranksep: gap, marginx: 6, marginy: TITLE_PX + 6 });
  const nodes = withStation(data);
  const places = new Map<string, string[]>();
  for (const { name, group } of nodes) {
    if (group !== undefined) places.set(group, [...(places.get(group) ?? []), name]);
  }
  const shared = [...places].filter(([, names]) => names.length > 1);
  const isShared = new Set(shared.map(([place]) => place));
  const lines = new Map(nodes.map((node) => [node.name, linesOf(node, isShared.has(node.group ?? ''))]));
  for (const { name } of nodes) graph.setNode(nodeKey(name), sizeOf(lines.get(name) as string[], 1));
  shared.forEach(([place, names], i) => {
    graph.setNode(`place ${i}`, { label: place });
    for (const name of names) graph.setParent(nodeKey(name), `place ${i}`);
  });
  const texts = data.links.map(({ ends, notes }) => [portsOf(ends), ...notes]);
  data.links.forEach(({ ends: [a, b] }, i) => {
    const label = { ...sizeOf(texts[i], 0), labelpos: 'c' as const };
    graph.setEdge(nodeKey(a.split(':')[0]), nodeKey(b.split(':')[0]), label, `${i}`);
  });
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const boxOf = (key: string): Box => cornerOf(graph.node(key) as unknown as Box);
  return {
    width,
    height,
    places: shared.map(([title], i) => titled(boxOf(`place ${i}`), title)),
    nodes: nodes.map((node) => ({
      ...boxOf(nodeKey(node.name)),
      node,
      lines: lines.get(node.name) as string[],
    })),
    lines: data.links.map(({ ends: [a, b] }, i): Line => {
      const key = { v: nodeKey(a.split(':')[0]), w: nodeKey(b.split(':')[0]), name: `${i}` };
      const edge = graph.edge(key) as unknown as Box & { points: Line['points'] };
      return { points: edge.points, label: cornerOf(edge), text: texts[i] };
    }),
  };
}

/** The nodes of a lab, and the station that its links name. */
function withStation({ nodes, links }: LabPageData): readonly LabPageNode[] {
  const known = new Set(nodes.map(({ name }) => name));
  const named = links.some(({ ends }) => ends.some((end) => end.split(':')[0] === STATION));
  if (!named || known.has(STATION)) return nodes;
  return [...nodes, { name: STATION, kind: 'far end of the wire', place: '' }];
}

function linesOf({ name, kind, place, state }: LabPageNode, isShared: boolean): string[] {
  const more = state === undefined ? kind : `${kind}, ${state}`;
  return [name, more, ...(isShared || place === '' ? [] : [place])];
}

function sizeOf(text: readonly string[], padded: number): { width: number; height: number } {
  const longest = Math.max(...text.map(({ length }) => length));
  return {
    width: Math.ceil(longest * CHARACTER_PX) + padded * 2 * PADDING_PX + 6,
    height: text.length * LINE_PX + padded * PADDING_PX + 2,
  };
}

/** A place with room for its title above its nodes. */
function titled(box: Box, title: string): Box & { title: string } {
  return { ...box, y: box.y - TITLE_PX, height: box.height + TITLE_PX, title };
}

/** dagre says where the middle is. */
function cornerOf({ x, y, width, height }: Box): Box {
  return { x: x - width / 2, y: y - height / 2, width, height };
}

function portsOf([a, b]: readonly [string, string]): string {
  const [from, to] = [a, b].map((end) => end.split(':')[1] ?? '');
  return from === to ? from : `${from} - ${to}`;
}

/** So that a node may have the name of a place. */
function nodeKey(name: string): string {
  return `node ${name}`;
}
