import { readField } from '@vhostlab/datapath';
import { describe, expect, it } from 'vitest';
import { FIELDS, type FieldName, FlowSyntaxError, type Match, parseFlow, parseFlows } from '../src/index.ts';

function get(match: Match, name: FieldName): [value: bigint, mask: bigint] {
  return [readField(match.value, 0, FIELDS[name]), readField(match.mask, 0, FIELDS[name])];
}

describe('flow syntax', () => {
  it('parses a rule', () => {
    const rule = parseFlow(
      'table=3, priority=10,cookie=0x7,in_port=1,dl_type=0x0800,nw_dst=10.0.0.0/8,actions=output:2',
    );
    expect([rule.table, rule.priority, rule.cookie]).toEqual([3, 10, 7n]);
    expect(get(rule.match, 'in_port')).toEqual([1n, 0xffffffffn]);
    expect(get(rule.match, 'eth_type')).toEqual([0x800n, 0xffffn]);
    expect(get(rule.match, 'nw_dst')).toEqual([0x0a000000n, 0xff000000n]);
    expect(rule.actions).toEqual([{ type: 'output', port: 2 }]);
  });

  it('has defaults and shorthands', () => {
    const rule = parseFlow('tcp6,tcp_dst=80/0xfff0,actions=drop');
    expect([rule.table, rule.priority, rule.cookie]).toEqual([0, 32768, 0n]);
    expect(get(rule.match, 'nw_proto')).toEqual([6n, 255n]);
    expect(get(rule.match, 'tp_dst')).toEqual([80n, 0xfff0n]);
    expect(parseFlow('actions=normal').actions).toEqual([{ type: 'normal' }]);
  });

  it('keeps bits of one word apart', () => {
    const { match } = parseFlow(
      'ip,nw_tos=32,nw_ecn=1,nw_ttl=9,ip_frag=not_later,dl_vlan=5,dl_vlan_pcp=3,actions=drop',
    );
    expect(get(match, 'nw_tos')).toEqual([33n, 255n]);
    expect(get(match, 'nw_ttl')).toEqual([9n, 255n]);
    expect(get(match, 'nw_frag')).toEqual([0n, 2n]);
    expect(get(match, 'vlan_tci')).toEqual([0x7005n, 0xffffn]);
    expect(get(parseFlow('dl_vlan=0xffff,actions=drop').match, 'vlan_tci')).toEqual([0n, 0x1fffn]);
    expect(
      get(parseFlow('dl_src=02:00:00:00:00:01/ff:ff:00:00:00:01,actions=drop').match, 'eth_src'),
    ).toEqual([0x020000000001n, 0xffff00000001n]);
  });

  it('knows every action', () => {
    const text =
      'actions=2,output:3,in_port,flood,all,normal,controller:65535,drop,push_vlan:0x88a8,strip_vlan,mod_vlan_vid:5,' +
      'mod_vlan_pcp:6,dec_ttl,resubmit(,4),goto_table:5,mod_nw_tos:32,set_field:2001:db8::1->ipv6_dst,load:0x3->NXM_NX_REG2[]';
    const { actions } = parseFlow(text);
    expect(actions.map((action) => action.type)).toEqual([
      'output',
      'output',
      'in_port',
      'flood',
      'flood',
      'normal',
      'controller',
      'drop',
      'push_vlan',
      'pop_vlan',
      'set_vlan_vid',
      'set_vlan_pcp',
      'dec_ttl',
      'resubmit',
      'resubmit',
      'set_field',
      'set_field',
      'set_field',
    ]);
    expect(actions.slice(-5)).toMatchObject(
      [{ table: 4 }, { table: 5 }, { value: 8n }, {}, { value: 3n }].slice(0, 5),
    );
    expect(actions[16]).toMatchObject({ field: FIELDS.ipv6_dst, value: 0x20010db8000000000000000000000001n });
  });

  it('takes ports by name', () => {
    const ports = new Map([['vm0', 7]]);
    const rule = parseFlow('in_port=vm0,actions=output:vm0', ports);
    expect(get(rule.match, 'in_port')[0]).toBe(7n);
    expect(rule.actions).toEqual([{ type: 'output', port: 7 }]);
  });

  it('skips comments and empty lines', () => {
    expect(parseFlows('# one\n\n actions=drop\n  # two\nip,actions=1\n')).toHaveLength(2);
  });

  it.each([
    ['in_prot=1,actions=drop', 'unknown key "in_prot"'],
    ['ip,actions=outptu:1', 'unknown action "outptu"'],
    ['ip', 'it has no actions='],
    ['nw_dst=10.0.0.0/8,actions=drop', 'nw_dst needs ip'],
    ['tcp,arp_op=1,actions=drop', 'arp_op needs arp'],
    ['ip,tp_dst=80,actions=drop', 'tp_dst needs a transport protocol such as tcp or udp'],
    ['udp,tcp_flags=+syn,actions=drop', 'tcp_flags needs a transport protocol such as tcp or udp'],
    ['ip,ipv6_dst=::1,actions=drop', 'ipv6_dst needs ipv6'],
    ['ip,nw_dst=10.0.0.256,actions=drop', 'nw_dst: "10.0.0.256" is not an IPv4 address'],
    ['ip,nw_dst=10.0.0.0/33,actions=drop', 'nw_dst: 33 is more than 32'],
    ['dl_src=1:2,actions=drop', 'dl_src: "1:2" is not a MAC address'],
    ['table=255,actions=drop', 'table: 255 is more than 254'],
    ['priority=65536,actions=drop', 'priority: 65536 is more than 65535'],
    ['in_port=vm9,actions=drop', 'there is no port "vm9"'],
    ['in_port=,actions=drop', 'there is no port ""'],
    ['dl_vlan=4096,actions=drop', 'dl_vlan: 4096 is more than 4095'],
    [
      'tcp,tcp_flags=+foo,actions=drop',
      'tcp_flags: "foo" is not one of fin, syn, rst, psh, ack, urg, ece, cwr, ns',
    ],
    ['actions=resubmit(1,2)', 'resubmit: "(1,2)" is not of the form (,table)'],
    ['actions=set_field:1->nw_proto', 'set_field: there is no field "nw_proto" to set'],
    ['actions=load:1->NXM_NX_REG16[]', 'load: "1->NXM_NX_REG16[]" is not of the form value->NXM_NX_REG0[]'],
    ['actions=push_vlan:0x9100', 'push_vlan: 0x9100 is not 0x8100 or 0x88a8'],
    ['actions=mod_nw_tos:3', 'mod_nw_tos: 3 has ECN bits, which stay as they are'],
    ['ip,nw_src=1.2.3.4/8/9,actions=drop', 'nw_src: "1.2.3.4/8/9" has two masks'],
  ])('refuses %s', (text, message) => {
    expect(() => parseFlow(text)).toThrow(new FlowSyntaxError(`flow "${text}": ${message}`));
  });
});
