import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readLabFile } from '../src/lab-file/read.ts';
import type { RealLab } from '../src/lab-file/real-lab.ts';
import { REAL_KINDS, settingNames } from '../src/lab-file/real-schema.ts';
import { describePlan, planReal, realAsks, startOrder } from '../src/operate/real/plan.ts';
import { planSwap, readSwap, swapProblem } from '../src/operate/real/swap.ts';

const PING = `schema: 1
name: x
system:
  kinds:
    qemu: {memoryMiB: 96}
  nodes:
    vm0: {kind: qemu, address: 10.0.0.1/24, run: [ping -c 5 10.0.0.2]}
    vm1: {kind: qemu, address: 10.0.0.2/24, ring: packed, memoryMiB: 200}
    sw: {kind: ovs}
  links:
    - [vm0:vhost0, sw:port0]
    - [sw:port1, vm1:vhost0]
time: {clock: real}
`;

function read(text: string): RealLab {
  const { real } = readLabFile(text, '/labs/x.lab.yaml');
  if (real === undefined) throw new Error('no lab on the real clock');
  return real;
}

function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('a lab file of the real clock', () => {
  it('has programs with settings of node, kind and program, and sockets with one side that listens', () => {
    const { nodes, links } = read(PING);
    expect(nodes.map(({ name, kind }) => [name, kind])).toEqual([
      ['vm0', 'qemu'],
      ['vm1', 'qemu'],
      ['sw', 'ovs'],
    ]);
    expect(nodes[0].settings).toMatchObject({ memoryMiB: 96, ring: 'split', vcpus: 1, accel: 'tcg' });
    expect(nodes[1].settings).toMatchObject({ memoryMiB: 200, ring: 'packed' });
    expect(links.map(({ front, back, server }) => [front.node, back.port, server])).toEqual([
      ['vm0', 'port0', 'front'],
      ['vm1', 'port1', 'front'],
    ]);
    expect(read(PING.replace('kind: ovs', 'kind: ovs, ports: dpdkvhostuser')).links[0].server).toBe('back');
    expect(read(PING.replace('kind: ovs', 'kind: backend')).links[0].server).toBe('back');
  });

  it('starts paths of nodes at its own folder, addresses excepted', () => {
    const own = PING.replace('sw: {kind: ovs}', 'sw: {kind: backend, plugin: mine}').replace(
      ', run: [ping -c 5 10.0.0.2]}',
      '}',
    );
    const text = own.replace('address: 10.0.0.1/24', 'kernel: boot/vmlinuz');
    expect(read(text).nodes[0].settings).toMatchObject({ kernel: '/labs/boot/vmlinuz' });
    expect(read(text).nodes[2].settings).toMatchObject({ plugin: '/labs/mine' });
    const remote = text.replace('plugin: mine', 'plugin: "unix:/run/p.sock"');
    expect(read(remote).nodes[2].settings).toMatchObject({ plugin: 'unix:/run/p.sock' });
  });

  it.each([
    ['its kinds on the virtual clock', PING.replace('time: {clock: real}', ''), ''],
    [
      'a guest',
      PING.replace('kind: ovs', 'kind: guest'),
      'sw.kind: sw is a guest, a model that charges costs',
    ],
    [
      'a switch',
      PING.replace('kind: ovs', 'kind: switch'),
      'make it an ovs, or a backend, whose switch is ours',
    ],
    ['a nic', PING.replace('kind: ovs', 'kind: nic'), 'or leave time.clock virtual'],
    [
      'workloads',
      PING.replace('  kinds:', '  workloads: [pvp]\n  kinds:'),
      'system.workloads: is for the virtual clock',
    ],
    [
      'roles',
      `${PING}roles: {guest: poll}\n`,
      'roles: is for the virtual clock; leave it out: what a node is says its kind',
    ],
    ['a seed', PING.replace('clock: real', 'clock: real, seed: 3'), 'time.seed: is for the virtual clock'],
    [
      'containers',
      `${PING}placement: container\n`,
      'placement: nodes of the real clock are processes of this machine',
    ],
    ['no nodes', 'schema: 1\nname: x\ntime: {clock: real}\n', 'system: has no nodes'],
    [
      'a setting of another kind',
      PING.replace('kind: ovs', 'kind: ovs, vcpus: 2'),
      'sw.vcpus: a ovs of the real clock has no vcpus; it has queues, bridge',
    ],
    [
      'a kernel for the image',
      PING.replace('memoryMiB: 200', 'image: linux, kernel: k'),
      'vm1.image: excludes kernel and disk',
    ],
    [
      'commands for a guest of its own',
      PING.replace('run: [', 'kernel: k, run: ['),
      'vm0.run: needs the image linux',
    ],
    [
      'two front ends',
      PING.replace('sw:port0', 'vm1:vhost1'),
      'vm0:vhost0 and vm1:vhost1 are both front ends of vhost-user',
    ],
    ['a port twice', PING.replace('sw:port1', 'sw:port0'), 'links.1: sw:port0 is joined already'],
    [
      'a gap in the ports',
      PING.replace('sw:port1', 'sw:port2'),
      'has a gap in its ports, which are numbered from 0; join sw:port1',
    ],
    [
      'a node alone',
      PING.replace('    - [sw:port1, vm1:vhost0]\n', ''),
      'vm1: is joined to nothing; add a link vm1:vhost0',
    ],
    [
      'a port that there is not',
      PING.replace('sw:port1', 'sw:eth0'),
      'a ovs has no port "eth0"; it has port0 to port7',
    ],
    [
      'settings of a socket',
      PING.replace('[vm0:vhost0, sw:port0]', '{endpoints: [vm0:vhost0, sw:port0], latency: 1us}'),
      'links.0.latency: a vhost-user socket has no settings',
    ],
    [
      'one MAC address twice',
      PING.replaceAll('kind: qemu', 'kind: qemu, mac: "52:54:00:00:00:09"'),
      '52:54:00:00:00:09 belongs to vm0 already',
    ],
    [
      'more addresses than devices',
      PING.replace('10.0.0.1/24', '[10.0.0.1/24, 10.0.1.1/24]'),
      'vm0.address: names 2, and vm0 has 1 device',
    ],
    ['a wrong address', PING.replace('10.0.0.1/24', 'ten'), '"ten" is no address; write it as 10.0.0.1/24'],
    [
      'flows without a switch',
      PING.replace('kind: ovs', 'kind: backend, port: echo, flows: [x]'),
      'sw.flows: are for port: switch',
    ],
    [
      'options without a plugin',
      PING.replace('kind: ovs', 'kind: backend, options: {guests: 2}'),
      'sw.options: are those of a plugin',
    ],
    [
      'a switch that cannot wait so',
      PING.replace('kind: ovs', 'kind: backend, mode: adaptive'),
      'sw.mode: must be poll or interrupt',
    ],
  ])('refuses %s with its place and the mend', (_, text, message) => {
    const said = refusal(text);
    if (message === '')
      expect(() => readLabFile(text, 'x.lab.yaml')).toThrow(
        /vm0 is a qemu, a real program, which cannot run on the virtual clock; add time: \{clock: real\}/,
      );
    else expect(said).toContain(message);
  });
});

describe('the plan of a lab on the real clock', () => {
  const nothing: RealLab = { nodes: [], links: [] };

  it('starts those that listen before those that connect, and asks for the runs at the end', () => {
    const wanted = read(PING.replace('kind: ovs', 'kind: backend'));
    expect(startOrder(wanted.nodes, wanted).map((step) => step.map(({ name }) => name))).toEqual([
      ['sw'],
      ['vm0', 'vm1'],
    ]);
    expect(describePlan(planReal(nothing, wanted), wanted, realAsks(wanted))).toEqual([
      'start sw (backend)',
      'start vm0 (qemu)',
      'start vm1 (qemu)',
      'run vm0: ping -c 5 10.0.0.2',
    ]);
  });

  it('leaves alone what stays, and takes with a node those that are joined to it', () => {
    const before = read(
      `${PING.replace('  links:', '    other: {kind: qemu}\n    echo: {kind: backend, port: echo}\n  links:\n    - [other:vhost0, echo:port0]')}`,
    );
    expect(planReal(before, before)).toEqual({ stop: [], start: [], runs: false });
    const asked: RealLab = {
      ...before,
      nodes: before.nodes.map((node) =>
        node.name === 'other' && node.kind === 'qemu'
          ? { ...node, settings: { ...node.settings, run: ['true'] } }
          : node,
      ),
    };
    expect(planReal(before, asked)).toEqual({ stop: [], start: [], runs: true });
    const other: RealLab = {
      ...before,
      nodes: before.nodes.map((node) =>
        node.name === 'echo' && node.kind === 'backend'
          ? { ...node, settings: { ...node.settings, port: 'macswap' } }
          : node,
      ),
    };
    const { stop, start } = planReal(before, other);
    expect(stop.map(({ name }) => name)).toEqual(['other', 'echo']);
    expect(start.map(({ name }) => name)).toEqual(['other', 'echo']);
  });
});

it('the page of lab files names every setting of the kind that has it', () => {
  const page = readFileSync(new URL('../../../docs/lab-file.md', import.meta.url), 'utf8');
  const section = page.slice(page.indexOf('## Nodes of the real clock'), page.indexOf('## Placement'));
  const rows = [...section.matchAll(/^\| ([^|`]+) \| (`[^|]+) \|/gm)];
  for (const kind of REAL_KINDS) {
    const named = rows
      .filter(([, kinds]) => kinds === 'all' || kinds.includes(kind))
      .flatMap(([, , settings]) => [...settings.matchAll(/`(\w+)`/g)].map(([, name]) => name));
    expect([kind, settingNames(kind).filter((name) => !named.includes(name))]).toEqual([kind, []]);
  }
});

describe('a swap on the real clock', () => {
  const lab = read(
    PING.replace(
      'sw: {kind: ovs}',
      `sw: {kind: backend}
    next: {kind: backend, mode: poll}
    wide: {kind: backend, queues: 2}
    pmd: {kind: testpmd}
    sink: {kind: backend, port: drop}
    ovs: {kind: ovs}
    vm2: {kind: qemu}`,
    ).replace('links:', 'links:\n    - [pmd:vhost0, sink:port0]\n    - [vm2:vhost0, ovs:port0]'),
  );

  it('joins the front ends of a back end to the same ports of a spare one, which is not started before', () => {
    expect(planReal({ nodes: [], links: [] }, lab).start.map(({ name }) => name)).not.toContain('next');
    const swapped = planSwap(lab, 'vm0', 'next');
    expect(swapped.from).toBe('sw');
    expect(swapped.lab.links.map(({ ends }) => ends).slice(2)).toEqual([
      ['vm0:vhost0', 'next:port0'],
      ['next:port1', 'vm1:vhost0'],
    ]);
    const back = planSwap(swapped.lab, 'vm1', 'sw');
    expect([back.from, back.lab]).toEqual(['next', lab]);
    expect(planReal(lab, back.lab)).toEqual({ stop: [], start: [], runs: false });
  });

  it.each([
    ['no guest', 'sw', 'next', 'sw is no front end of this lab; there are pmd, vm2, vm0, vm1'],
    ['what is not there', 'vm0', 'other', 'other is no spare back end of this lab; there are next, wide'],
    ['one that is in use', 'vm0', 'sink', 'sink is no spare back end of this lab; there are next, wide'],
    ['an Open vSwitch', 'vm2', 'next', 'ovs, the back end of vm2, is a ovs; only a backend can be replaced'],
    ['the back end of a testpmd', 'pmd', 'next', 'pmd is joined to sink as well and is no qemu'],
  ])('refuses %s', (_, guest, to, message) => {
    expect(() => planSwap(lab, guest, to)).toThrow(message);
  });

  it('takes effect at once, and is the only event there is', () => {
    expect(readSwap('{"swap": {"guest": "vm0", "to": "next"}}')).toEqual({ guest: 'vm0', to: 'next' });
    expect(() => readSwap('{"at": "5ms", "swap": {"guest": "vm0", "to": "next"}}')).toThrow('leave it out');
    expect(() => readSwap('{"migrate": {}}')).toThrow('only a swap is an event');
    expect(() => readSwap('{')).toThrow('no JSON');
  });

  it('is refused when a guest could not go on: a feature that it uses, or a packed ring', () => {
    const [csum, mrg, packed] = [1n << 0n, 1n << 15n, 1n << 34n];
    const problem = (from: bigint, to: bigint, ...negotiated: (bigint | undefined)[]) =>
      swapProblem(
        'a',
        { features: from },
        'b',
        { features: to },
        negotiated.map((bits) => ({ negotiated: bits })),
      );
    expect(problem(csum | mrg, csum | mrg | packed, csum | mrg)).toBeUndefined();
    expect(problem(csum | mrg, csum, csum)).toBeUndefined();
    expect(problem(csum | mrg, csum, csum, mrg)).toContain(
      'b does not offer MRG_RXBUF, which guests of a have',
    );
    expect(problem(csum | mrg, csum, undefined)).toContain('b does not offer MRG_RXBUF');
    expect(problem(packed, packed, packed)).toContain('guests of a have negotiated RING_PACKED');
    expect(problem(packed, packed, csum)).toBeUndefined();
  });
});
