import { join } from 'node:path';
import type { RealLab } from '../../lab-file/real-lab.ts';
import type { NodeDevice } from '../../real-nodes/running-node.ts';

/** The devices of a node by number, each with the socket of its link: in the back end's folder, named as its port. */
export function devicesOf(name: string, { links }: RealLab, sockets: string): NodeDevice[] {
  const devices: NodeDevice[] = [];
  for (const { front, back, server } of links) {
    const [own, peer, isServer] =
      front.node === name ? [front, back, server === 'front'] : [back, front, server === 'back'];
    if (own.node !== name) continue;
    devices[own.index] = {
      port: own.port,
      peer: `${peer.node}:${peer.port}`,
      socket: join(sockets, back.node, back.port),
      listens: isServer,
    };
  }
  return devices;
}
