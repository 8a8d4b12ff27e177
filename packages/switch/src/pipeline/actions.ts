import type { FieldSpec } from '@vhostlab/datapath';

/** What a rule does, in order. Actions that a packet cannot undergo (a TTL without IP) leave it as it is. */
export type FlowAction =
  | { readonly type: 'output'; readonly port: number }
  | { readonly type: 'in_port' }
  | { readonly type: 'normal' }
  /** All ports but the one of arrival. */
  | { readonly type: 'flood' }
  | { readonly type: 'drop' }
  /** There is no controller: the packet is counted as `drop.controller`. */
  | { readonly type: 'controller' }
  | { readonly type: 'push_vlan'; readonly tpid: number }
  | { readonly type: 'pop_vlan' }
  /** Sets the VLAN id; an untagged packet gets a tag. */
  | { readonly type: 'set_vlan_vid'; readonly vid: number }
  | { readonly type: 'set_vlan_pcp'; readonly pcp: number }
  | { readonly type: 'set_field'; readonly field: FieldSpec; readonly value: bigint }
  | { readonly type: 'dec_ttl' }
  | { readonly type: 'resubmit'; readonly table: number };
