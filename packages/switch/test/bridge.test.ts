import { decodeActions, KEY_FIELDS, KEY_WORDS, type KeyFieldName, writeField } from '@vhostlab/datapath';
import { describe, expect, it } from 'vitest';
import { FlowTables, MacTable, parseFlow, parseFlows, SwitchBridge, translate } from '../src/index.ts';

function keyOf(values: Partial<Record<KeyFieldName, bigint>>): Uint32Array {
  const key = new Uint32Array(KEY_WORDS);
  for (const [name, value] of Object.entries(values))
    writeField(key, 0, KEY_FIELDS[name as KeyFieldName], value);
  return key;
}

const A = 0x020000000001n;
const B = 0x020000000002n;
const frame = (inPort: bigint, src: bigint, dst: bigint, more: Partial<Record<KeyFieldName, bigint>> = {}) =>
  keyOf({ in_port: inPort, eth_src: src, eth_dst: dst, eth_type: 0x88b5n, ...more });

function bridgeOf(flows: string, flowLimit?: number): SwitchBridge {
  const bridge = new SwitchBridge({ ports: [1, 2, 3], ...(flowLimit === undefined ? {} : { flowLimit }) });
  bridge.addFlows(parseFlows(flows));
  return bridge;
}

function outputs(program: Uint32Array): number[] {
  return decodeActions(program).flatMap((action) => (action.type === 'output' ? [action.port] : []));
}

describe('NORMAL', () => {
  it('floods, learns and then sends to one port, never back', () => {
    const bridge = bridgeOf('actions=normal');
    expect(outputs(bridge.upcall(frame(1n, A, B), 0, 0).program)).toEqual([2, 3]);
    expect(outputs(bridge.upcall(frame(2n, B, A), 1, 0).program)).toEqual([1]);
    expect(outputs(bridge.upcall(frame(1n, A, B), 2, 0).program)).toEqual([2]);
    expect(outputs(bridge.upcall(frame(2n, A, B), 3, 0).program)).toEqual([]);
    expect(outputs(bridge.upcall(frame(3n, A, 0xffffffffffffn), 4, 0).program)).toEqual([1, 2]);
    expect([...bridge.macs.entries()].map(({ mac, port }) => [mac, port])).toEqual([
      [B, 2],
      [A, 3],
    ]);
  });

  it('learns VLANs apart, drops reserved addresses and does not learn groups', () => {
    const bridge = bridgeOf('actions=normal');
    bridge.upcall(frame(1n, A, B, { vlan_tci: 0x1005n, vlan_tpid: 0x8100n }), 0, 0);
    expect(outputs(bridge.upcall(frame(2n, B, A), 0, 0).program)).toEqual([1, 3]);
    const tagged = { vlan_tci: 0x1005n, vlan_tpid: 0x8100n };
    expect(outputs(bridge.upcall(frame(2n, B, A, tagged), 0, 0).program)).toEqual([1]);
    expect(outputs(bridge.upcall(frame(1n, A, 0x0180c2000003n), 0, 0).program)).toEqual([]);
    bridge.upcall(frame(1n, 0x030000000001n, B), 0, 0);
    expect(bridge.macs.size).toBe(3);
    expect(bridge.counters.faults).toEqual(new Map([['reserved_mac', 1]]));
  });
});

describe('MAC table', () => {
  it('ages by last packet and keeps to its capacity', () => {
    const macs = new MacTable({ capacity: 2, agingPs: 100 });
    macs.learn(0, 1n, 1, 0);
    macs.learn(0, 2n, 1, 10);
    macs.learn(0, 1n, 1, 20);
    macs.learn(0, 3n, 1, 30);
    expect([macs.portOf(0, 1n), macs.portOf(0, 2n), macs.portOf(0, 3n)]).toEqual([1, undefined, 1]);
    const before = macs.version;
    expect(macs.expire(119)).toBe(0);
    expect(macs.version).toBe(before);
    expect(macs.expire(120)).toBe(1);
    expect(macs.portOf(0, 1n)).toBeUndefined();
    expect(macs.version).toBeGreaterThan(before);
    macs.flushPort(1);
    expect(macs.size).toBe(0);
  });
});

describe('priorities', () => {
  it('prefers the higher priority of any subtable, the older subtable among equals', () => {
    const tables = new FlowTables();
    // The first subtable has the highest rule of all, but the packet matches a lower one in it.
    for (const flow of [
      'priority=100,in_port=9,actions=1',
      'priority=1,in_port=5,actions=1',
      'priority=50,ip,actions=2',
    ]) {
      tables.add(parseFlow(flow));
    }
    const view = { tables, macs: new MacTable(), ports: [1, 2, 3] };
    const key = keyOf({ in_port: 5n, eth_type: 0x800n });
    expect(translate(view, key).actions).toEqual([{ type: 'output', port: 2 }]);
    tables.add(parseFlow('priority=50,in_port=5,actions=3'));
    expect(translate(view, key).actions).toEqual([{ type: 'output', port: 3 }]);
    tables.add(parseFlow('priority=50,ip,actions=1'));
    expect(tables.size).toBe(4);
    tables.delete(
      (rule) => rule.priority === 50 && rule.actions[0].type === 'output' && rule.actions[0].port === 3,
    );
    expect(translate(view, key).actions).toEqual([{ type: 'output', port: 1 }]);
  });
});

describe('resubmit', () => {
  it('ends circles and long chains', () => {
    const circle = bridgeOf('table=0,actions=1,resubmit(,0)');
    expect(outputs(circle.upcall(frame(2n, A, B), 0, 0).program)).toEqual([]);
    expect(circle.counters.faults).toEqual(new Map([['resubmit_depth', 1]]));
    const twice = Array.from(
      { length: 13 },
      (_, i) => `table=${i},actions=resubmit(,${i + 1}),resubmit(,${i + 1})`,
    );
    const wide = bridgeOf([...twice, 'table=13,actions=1'].join('\n'));
    expect(outputs(wide.upcall(frame(2n, A, B), 0, 0).program)).toEqual([]);
    expect([...wide.counters.faults.keys()]).toEqual(['resubmit_count']);
  });
});

describe('revalidation', () => {
  it('changes the actions of megaflows when a MAC moves', () => {
    const bridge = bridgeOf('actions=normal');
    bridge.upcall(frame(2n, B, A), 0, 0);
    bridge.upcall(frame(1n, A, B), 0, 0);
    bridge.upcall(frame(3n, B, A), 0, 1);
    expect(bridge.isStale).toBe(true);
    const { modified, deleted, checked } = bridge.revalidate(0);
    expect(bridge.isStale).toBe(false);
    expect([checked, deleted.length]).toEqual([3, 0]);
    expect(modified.map(({ flow, holders }) => [flow.key[0], outputs(flow.program), [...holders]])).toEqual([
      [2, [1], [0]],
      [1, [3], [0]],
    ]);
    expect(bridge.revalidate(0).modified).toEqual([]);
  });

  it('deletes a megaflow that must tell more packets apart, and keeps one that could tell fewer', () => {
    const bridge = bridgeOf('priority=1,actions=2');
    bridge.upcall(frame(1n, A, B), 0, 0);
    bridge.addFlows([parseFlow(`priority=2,dl_dst=02:00:00:00:00:07,actions=3`)]);
    expect(bridge.revalidate(0).deleted).toHaveLength(1);
    bridge.upcall(frame(1n, A, B), 0, 0);
    bridge.tables.delete((rule) => rule.priority === 2);
    expect(bridge.revalidate(0)).toEqual({ deleted: [], modified: [], checked: 1 });
    expect([...bridge.megaflows()]).toHaveLength(1);
  });

  it('makes room for a new megaflow by the oldest', () => {
    const bridge = bridgeOf('actions=normal', 2);
    const first = bridge.upcall(frame(1n, A, B), 0, 4);
    bridge.upcall(frame(1n, A, A), 0, 4);
    const { evicted } = bridge.upcall(frame(1n, B, B), 0, 4);
    expect(evicted.map(({ flow }) => flow)).toEqual([first.put]);
    expect([...evicted[0].holders]).toEqual([4]);
  });

  it('books reported packets to the rules and keeps their source alive', () => {
    const bridge = bridgeOf('table=0,actions=resubmit(,1)\ntable=1,actions=normal\ntable=2,actions=drop');
    const { put } = bridge.upcall(frame(1n, A, B), 0, 0);
    bridge.report(put, 5, 300, 250e12);
    bridge.revalidate(400e12);
    expect([...bridge.tables.rules()].map((rule) => rule.packets)).toEqual([5, 5, 0]);
    expect(bridge.macs.size).toBe(1);
    bridge.revalidate(551e12);
    expect(bridge.macs.size).toBe(0);
  });

  it('refuses ports that cannot be', () => {
    expect(() => new SwitchBridge({ ports: [1, 1] })).toThrow('port 1 stands twice in a bridge');
    expect(() => new SwitchBridge({ ports: [70000] })).toThrow('port 70000 of a bridge');
  });
});

describe('explanation', () => {
  it('tells for every bit what needed it', () => {
    const bridge = bridgeOf('priority=9,tcp,tp_dst=80,actions=resubmit(,1)\ntable=1,actions=normal');
    const key = frame(1n, A, B, { eth_type: 0x800n, ip_proto: 6n, tp_dst: 80n });
    const { reasons, wildcards } = translate(bridge, key, true);
    const explained = new Uint32Array(wildcards.length);
    for (const { word, bits } of reasons ?? []) explained[word] |= bits;
    expect(wildcards.every((bits, w) => (bits & ~explained[w]) === 0)).toBe(true);
    expect(new Set(reasons?.map(({ because }) => because))).toEqual(
      new Set(['every megaflow', 'lookup in table 0', 'normal in table 1']),
    );
    expect(translate(bridge, key).reasons).toBeUndefined();
  });
});
