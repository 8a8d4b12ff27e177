import type { Layer } from '@vhostlab/packet';
import type { Endpoints } from './endpoints.ts';

/** Layers in front of the payload that do not depend on flow or packet. */
export interface TemplateShape {
  ipVersion: 4 | 6;
  endpoints: Endpoints;
  /** VLAN id of an 802.1Q tag; none when absent. */
  vlan?: number;
}

/** Ethernet, VLAN and IP with zeros where the flow's fields go. */
export function networkLayers(shape: TemplateShape): Layer[] {
  const { srcMac, dstMac, srcIpv4, dstIpv4, srcIpv6, dstIpv6 } = shape.endpoints;
  const layers: Layer[] = [{ kind: 'ethernet', dst: dstMac, src: srcMac }];
  if (shape.vlan !== undefined) layers.push({ kind: 'vlan', id: shape.vlan });
  if (shape.ipVersion === 4) {
    const src = srcIpv4.replace(/\.\d+\.\d+$/, '.0.0');
    const dst = dstIpv4.replace(/\.\d+\.\d+$/, '.0.0');
    layers.push({ kind: 'ipv4', src, dst, dontFragment: true });
  } else {
    layers.push({ kind: 'ipv6', src: srcIpv6, dst: dstIpv6 });
  }
  return layers;
}
