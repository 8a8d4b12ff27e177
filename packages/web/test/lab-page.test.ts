import { describe, expect, it } from 'vitest';
import { type LabPageData, renderLabPage } from '../src/index.ts';
import { layOut } from '../src/lab-page/graph-layout.ts';

const lab: LabPageData = {
  name: 'box',
  clock: 'virtual',
  phase: 'complete',
  file: 'box.lab.yaml',
  nodes: [
    { name: 'vm', kind: 'guest', place: 'embedded 7', group: 'embedded 7', state: 'ready' },
    { name: 'host', kind: 'backend', place: 'embedded 7', group: 'embedded 7', state: 'ready' },
    { name: 'card', kind: 'nic', place: 'process 8', group: 'process 8', state: 'lost' },
  ],
  links: [
    { ends: ['vm:vq', 'host:vq'], notes: ['60 ns'] },
    { ends: ['host:nic', 'card:host'], notes: ['250 ns', '12 messages, 3 kB'] },
    { ends: ['card:wire', 'station:wire'], notes: ['<10 µs>'] },
  ],
  runs: [
    {
      name: 'pvp/vhost-user',
      state: 'complete',
      packets: 2000,
      delivered: 1990,
      dropped: 10,
      throughput_mpps: 4,
    },
  ],
};

interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

const overlap = (a: Rectangle, b: Rectangle): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

describe.each(['LR', 'TB'] as const)('the graph of a lab, %s', (direction) => {
  const { width, height, nodes, places, lines } = layOut(lab, direction);

  it('has every node and link, and the station that a link names', () => {
    expect(nodes.map(({ node }) => node.name)).toEqual(['vm', 'host', 'card', 'station']);
    expect(lines.map(({ text }) => text)).toEqual([
      ['vq', '60 ns'],
      ['nic - host', '250 ns', '12 messages, 3 kB'],
      ['wire', '<10 µs>'],
    ]);
  });

  it('draws a box around what shares a process, and nothing else', () => {
    expect(places.map(({ title }) => title)).toEqual(['embedded 7']);
    expect(nodes.map((node) => overlap(places[0], node))).toEqual([true, true, false, false]);
  });

  it('lets nothing cover anything, nor leave the drawing', () => {
    const boxes: Rectangle[] = [...nodes, ...lines.map(({ label }) => label)];
    boxes.forEach((box, i) => {
      for (const other of boxes.slice(i + 1)) expect(overlap(box, other)).toBe(false);
    });
    for (const { x, y, width: w, height: h } of [...boxes, ...places]) {
      expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
      expect(x + w).toBeLessThanOrEqual(width);
      expect(y + h).toBeLessThanOrEqual(height);
    }
  });
});

describe('the page of a lab', () => {
  const page = renderLabPage(lab);

  it('says what the drawing says, in tables too', () => {
    expect(page).toContain('<title>lab box · vhostlab</title>');
    expect(page).toMatch(
      /<th scope="row">card<\/th><td class="text">nic<\/td><td class="text">process 8<\/td><td class="text">lost<\/td>/,
    );
    expect(page).toMatch(
      /<th scope="row">host:nic and card:host<\/th><td class="text">250 ns, 12 messages, 3 kB<\/td>/,
    );
    expect(page).toMatch(
      /<th scope="row">pvp\/vhost-user<\/th>.*<td>1,990<\/td><td>10<\/td><td>4\.000<\/td>/,
    );
  });

  it('escapes what a file says, runs no script and loads nothing', () => {
    expect(page).toContain('&lt;10 µs&gt;');
    expect(page).not.toContain('<10 µs>');
    expect(page).not.toMatch(/<script|src=|href=/);
    expect(page).toContain("default-src 'none'; style-src 'sha256-");
  });

  it('of a lab file has no runs and no states', () => {
    const { phase, ...rest } = lab;
    const plain = renderLabPage({ ...rest, runs: [], nodes: lab.nodes.map(({ state, ...node }) => node) });
    expect(plain).toContain('lab file, not up');
    expect(plain).not.toContain('id="runs"');
  });
});
