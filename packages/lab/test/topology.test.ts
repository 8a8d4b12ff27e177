import { describe, expect, it } from 'vitest';
import { readLabFile } from '../src/lab-file/read.ts';
import { parseCompareOptions, UsageError } from '../src/scenario/options.ts';

const HEAD = 'schema: 1\nname: test\n';
const NODES = `${HEAD}system:
  workloads: [pvp]
  nodes:
    vm: {kind: guest, group: wide}
    host: {kind: backend}
    bridge: {kind: switch}
    card: {kind: nic, rateGbps: 10}
  groups:
    wide: {queues: 2}
`;

function refusal(text: string, vars: Record<string, string> = {}): string {
  try {
    readLabFile(text, 'x.lab.yaml', vars);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error(`this was not refused: ${text}`);
}

describe('nodes', () => {
  it('are the usual ones when the file names none', () => {
    const { topology } = readLabFile(HEAD, 'x');
    expect(topology.nodes.map(({ name, kind }) => [name, kind])).toEqual([
      ['guest0', 'guest'],
      ['backend0', 'backend'],
      ['switch0', 'switch'],
      ['nic0', 'nic'],
    ]);
    const two = readLabFile(`${HEAD}system: {workloads: [v2v]}`, 'x').topology;
    expect(two.nodes.map(({ name }) => name)).toContain('guest1');
    expect(two.links).toContainEqual(['guest1:vq', 'backend0:vq']);
  });

  it('take a setting from themselves, their group, kind, the defaults and the plain section, in this order', () => {
    const layers = [
      ['  guests: {ringSize: 2}', 2],
      ['  defaults: {ringSize: 4}', 4],
      ['  kinds: {guest: {ringSize: 8}}', 8],
      ['  groups: {g: {ringSize: 16}}', 16],
    ] as const;
    const nodes = (own: string) =>
      `  nodes:\n    a: {kind: guest, group: g${own}}\n    b: {kind: backend}\n    c: {kind: switch}\n    d: {kind: nic}`;
    for (let count = 1; count <= layers.length; count++) {
      const group = count === layers.length ? [] : ['  groups: {g: {}}'];
      const text = [...layers.slice(0, count).map(([line]) => line), ...group, nodes('')].join('\n');
      const lab = readLabFile(`${HEAD}system:\n${text}`, 'x');
      expect(parseCompareOptions(lab.options).ringSize).toBe(layers[count - 1][1]);
    }
    const all = `${layers.map(([line]) => line).join('\n')}\n${nodes(', ringSize: 32')}`;
    expect(readLabFile(`${HEAD}system:\n${all}`, 'x').options.ringSize).toBe(32);
  });

  it('give their settings to what compare reads', () => {
    const { options, topology } = readLabFile(NODES, 'x');
    expect([options.queues, options.rateGbps]).toEqual([2, 10]);
    expect(topology.nodes.map(({ name }) => name)).toEqual(['vm', 'host', 'bridge', 'card']);
  });

  it.each([
    [
      'a setting of another kind',
      NODES.replace('rateGbps: 10', 'ring: split'),
      '9:23: system.nodes.card.ring: a nic has no ring; it has pcie, rateGbps',
    ],
    [
      'no card',
      NODES.replace(/ {4}card.*\n/, ''),
      '5:3: system.nodes: has no nic; add one, such as nic0: {kind: nic}',
    ],
    [
      'two switches',
      NODES.replace('    card', '    other: {kind: switch}\n    card'),
      '9:5: system.nodes.other: is a second switch beside bridge',
    ],
    [
      'a guest too many',
      NODES.replace('    card', '    other: {kind: guest}\n    card'),
      'system.nodes.other: is a second guest, which only',
    ],
    [
      'a guest too few',
      NODES.replace('pvp', 'v2v'),
      '4:15: system.workloads.0: v2v takes two guests; system.nodes has vm',
    ],
    [
      'guests that differ',
      NODES.replace('pvp', 'v2v').replace('    card', '    other: {kind: guest}\n    card'),
      'system.nodes.other: has queues 1 and vm has 2; the guests of a lab are made alike',
    ],
    [
      'a group that there is not',
      NODES.replace('group: wide', 'group: broad'),
      'system.nodes.vm.group: there is no group "broad"; there are wide',
    ],
    [
      'an unknown kind',
      NODES.replace('kind: nic', 'kind: router'),
      'system.nodes.card.kind: must be guest, backend, switch, nic, qemu, testpmd or ovs, not "router"',
    ],
  ])('refuse %s', (_, text, message) => {
    expect(refusal(text)).toContain(`x.lab.yaml:`);
    expect(refusal(text)).toContain(message);
  });
});

describe('links', () => {
  const links = (...lines: string[]) =>
    `${NODES}  links:\n${lines.map((line) => `    - ${line}\n`).join('')}`;
  const good = [
    '[vm:vq, host:vq]',
    '[host:upcall, bridge:upcall]',
    '[card:host, host:nic]',
    '[card:wire, station:wire]',
  ];

  it('are taken whole or queue by queue, with the latency of the wire', () => {
    expect(readLabFile(links(...good), 'x').topology.wireLatencyNs).toBeUndefined();
    const each = [
      '[vm:vq0, host:vq0]',
      '[host:vq1, vm:vq1]',
      ...good.slice(1, 3),
      '{endpoints: [card:wire, station:wire], latency: 1.5us}',
    ];
    const { topology } = readLabFile(links(...each), 'x');
    expect(topology.wireLatencyNs).toBe(1500);
    expect(topology.links[1]).toEqual(['host:vq1', 'vm:vq1']);
  });

  it.each([
    [
      'half of the queues',
      ['[vm:vq0, host:vq0]', ...good.slice(1)],
      '12:3: system.links: vm:vq1 is joined to nothing; add [vm:vq1, host:vq1]',
    ],
    [
      'a missing wire',
      good.slice(0, 3),
      'system.links: card:wire is joined to nothing; add [card:wire, station:wire]',
    ],
    ['one twice', [...good, good[0]], '17:7: system.links.4: vm:vq is joined already'],
    [
      'ends that do not fit',
      ['[vm:vq, card:host]'],
      '13:7: system.links.0: vm:vq is no end for card:host; the vq of a guest joins the vq of a backend',
    ],
    ['queues that differ', ['[vm:vq0, host:vq1]'], 'of the same number'],
    [
      'a queue that there is not',
      ['[vm:vq2, host:vq2]'],
      'vm:vq2: the guests have 2 queue pairs, vq0 to vq1',
    ],
    [
      'an unknown node',
      ['[vn:vq, host:vq]'],
      'there is no node "vn"; there are vm, host, bridge, card, station',
    ],
    ['an unknown port', ['[vm:eth0, host:vq]'], 'a guest has no port "eth0"; it has vq'],
    ['no port', ['[vm, host]'], '"vm" is no end of a link; write NODE:PORT'],
    ['one end', ['[vm:vq]'], 'must be two ends'],
    [
      'a latency where there is none',
      ['{endpoints: [vm:vq, host:vq], latency: 1us}'],
      'system.links.0.latency: only the wire',
    ],
    [
      'a latency without a unit',
      ['{endpoints: [vm:vq, host:vq], latency: 10}'],
      'must be a time such as 10us, not 10',
    ],
  ])('refuse %s', (_, lines, message) => {
    expect(refusal(links(...lines))).toContain(message);
  });
});

describe('placement', () => {
  it('is one for all or node by node', () => {
    expect(readLabFile(`${HEAD}placement: container`, 'x').topology.services.nic).toEqual({
      how: 'container',
    });
    const mixed = `${NODES}placement: {default: process, nodes: {card: {endpoint: "h:1"}, host: embedded}}`;
    expect(readLabFile(mixed, 'x').topology.services).toEqual({
      guest: { how: 'process' },
      backend: { how: 'embedded' },
      switch: { how: 'process' },
      nic: { how: 'endpoint', address: 'h:1' },
    });
  });

  it.each([
    [
      'an unknown node',
      '{nodes: {nic0: process}}',
      'placement.nodes.nic0: there is no node of that name; there are vm, host',
    ],
    [
      'an unknown place',
      '{nodes: {card: cloud}}',
      'placement.nodes.card: must be embedded, process, container or {endpoint: HOST:PORT}',
    ],
    ['an unknown key', '{defualt: process}', 'placement.defualt: no such key here; there are default, nodes'],
  ])('refuses %s', (_, placement, message) => {
    expect(refusal(`${NODES}placement: ${placement}`)).toContain(message);
  });

  it('keeps guests together', () => {
    const text = `${HEAD}system: {workloads: [v2v]}\nplacement: {nodes: {guest1: process}}`;
    expect(refusal(text)).toContain('placement.nodes.guest1: is placed elsewhere than guest0');
  });
});

describe('variables', () => {
  const text = `${HEAD}vars: {n: 7, unit: us}\nsystem:\n  traffic:\n    packets: \${n}\n    rate: \${rate:=50%}\n  switch:\n    flows: ["a$\${x}-\${unit}\${n}"]\n`;

  it('have the type that they are given, defaults, and stand in texts', () => {
    const { options } = readLabFile(text, 'x');
    expect([options.packets, options.rate, options.flowTable]).toEqual([7, '50%', ['a${x}-us7']]);
    expect(readLabFile(text, 'x', { n: '9' }).options.packets).toBe(9);
  });

  it.each([
    [
      'one without a value',
      `${HEAD}system: {nic: {pcie: "\${p}"}}`,
      {},
      'x.lab.yaml:3:22: the variable "p" has no value',
    ],
    [
      'one that is not declared',
      text,
      { m: '1' },
      '--var: the lab file declares no variable "m"; there are n, unit',
    ],
    [
      'a value of the wrong type',
      text,
      { n: 'many' },
      'x.lab.yaml:6:5: system.traffic.packets: packets must be a whole number',
    ],
    ['a list as a value', `${HEAD}vars: {a: [1]}`, {}, 'x.lab.yaml:3:8: vars.a: '],
  ])('refuse %s', (_, file, vars, message) => {
    expect(refusal(file, vars as Record<string, string>)).toContain(message);
  });
});
