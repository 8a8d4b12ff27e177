import { type DatapathAction, W_ETH0, W_ETH1, W_ETH2, W_TP } from '@vhostlab/datapath';
import type { Wildcards } from './wildcards.ts';
import {
  isIp,
  keyOfFlow,
  P_ETH0,
  P_ETH1,
  P_ETH2,
  P_IP6_DST,
  P_IP6_SRC,
  P_LABEL,
  P_NW,
  P_NW_DST,
  P_NW_SRC,
  P_PORTS,
  P_VLAN0,
  P_VLAN1,
} from './words.ts';

const TAG = 0x1000;
/** Words of network addresses and their place in the datapath's key are the same in flow and mask. */
const NETWORK_WORDS = [P_NW_SRC, P_NW_DST, ...range(P_IP6_SRC, 4), ...range(P_IP6_DST, 4), P_LABEL];
const PORT_PROTOCOLS = [6, 17, 132];

/**
 * Appends the datapath actions that turn a packet described by `base` into one described by `flow`, in the
 * order of Open vSwitch (Ethernet, network, ports, VLAN), and makes `base` equal to `flow` in them. Only done
 * before a packet leaves, so that changes nobody sees cost nothing.
 */
export function commit(
  flow: Uint32Array,
  base: Uint32Array,
  wildcards: Wildcards,
  actions: DatapathAction[],
): void {
  commitEthernet(flow, base, actions);
  // A malformed network header is described by protocol 0: there is nothing to write to.
  if (isIp(flow) && flow[P_NW] >>> 24 !== 0) {
    commitNetwork(flow, base, wildcards, actions);
    commitPorts(flow, base, actions);
  }
  commitVlan(flow, base, wildcards, actions);
}

function commitEthernet(flow: Uint32Array, base: Uint32Array, actions: DatapathAction[]): void {
  const isDestination = flow[P_ETH0] !== base[P_ETH0] || (flow[P_ETH1] ^ base[P_ETH1]) >>> 16 !== 0;
  const isSource = flow[P_ETH2] !== base[P_ETH2] || ((flow[P_ETH1] ^ base[P_ETH1]) & 0xffff) !== 0;
  if (isDestination) pushSet(actions, W_ETH0, flow[P_ETH0], 0xffffffff);
  const middle = ((isDestination ? 0xffff0000 : 0) | (isSource ? 0xffff : 0)) >>> 0;
  if (middle !== 0) pushSet(actions, W_ETH1, flow[P_ETH1], middle);
  if (isSource) pushSet(actions, W_ETH2, flow[P_ETH2], 0xffffffff);
  base[P_ETH0] = flow[P_ETH0];
  base[P_ETH1] = flow[P_ETH1];
  base[P_ETH2] = flow[P_ETH2];
}

function commitNetwork(
  flow: Uint32Array,
  base: Uint32Array,
  wildcards: Wildcards,
  actions: DatapathAction[],
): void {
  const nw = flow[P_NW] ^ base[P_NW];
  if (nw === 0 && NETWORK_WORDS.every((w) => flow[w] === base[w])) return;
  const change = new Uint32Array(flow.length);
  for (const w of NETWORK_WORDS) if (flow[w] !== base[w]) change[w] = w === P_LABEL ? 0xfffff : 0xffffffff;
  if ((nw & 0xff0000) !== 0) change[P_NW] |= wildcards.bits[P_NW] & 0xff0000;
  if ((nw & 0xff00) !== 0) change[P_NW] |= 0xff00;
  const values = keyOfFlow(flow);
  const mask = keyOfFlow(change);
  for (let w = 0; w < mask.length; w++) if (mask[w] !== 0) pushSet(actions, w, values[w], mask[w]);
  for (const w of NETWORK_WORDS) base[w] = flow[w];
  base[P_NW] = flow[P_NW];
}

function commitPorts(flow: Uint32Array, base: Uint32Array, actions: DatapathAction[]): void {
  const change = flow[P_PORTS] ^ base[P_PORTS];
  if (change === 0 || !PORT_PROTOCOLS.includes(flow[P_NW] >>> 24)) return;
  const mask = ((change >>> 16 === 0 ? 0 : 0xffff0000) | ((change & 0xffff) === 0 ? 0 : 0xffff)) >>> 0;
  pushSet(actions, W_TP, flow[P_PORTS], mask);
  base[P_PORTS] = flow[P_PORTS];
}

/** Pops what differs from the inside out, then pushes what is new. */
function commitVlan(
  flow: Uint32Array,
  base: Uint32Array,
  wildcards: Wildcards,
  actions: DatapathAction[],
): void {
  let from = tagCount(base) - 1;
  let to = tagCount(flow) - 1;
  while (from >= 0 && to >= 0 && base[P_VLAN0 + from] === flow[P_VLAN0 + to]) {
    from--;
    to--;
  }
  for (; from >= 0; from--) {
    actions.push({ type: 'pop_vlan' });
    wildcards.add(P_VLAN0 + from, 0xffffffff);
  }
  for (; to >= 0; to--) {
    const tag = flow[P_VLAN0 + to];
    actions.push({ type: 'push_vlan', tpid: tag >>> 16, tci: tag & 0xffff });
  }
  base[P_VLAN0] = flow[P_VLAN0];
  base[P_VLAN1] = flow[P_VLAN1];
}

/** Tags of a flow, 0..2. */
export function tagCount(flow: Uint32Array): number {
  if ((flow[P_VLAN0] & TAG) === 0) return 0;
  return (flow[P_VLAN1] & TAG) === 0 ? 1 : 2;
}

function pushSet(actions: DatapathAction[], word: number, value: number, mask: number): void {
  actions.push({ type: 'set', word, value: (value & mask) >>> 0, mask });
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
