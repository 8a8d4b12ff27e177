import { join } from 'node:path';
import type { RealLab } from '../../lab-file/real-lab.ts';
import type { RealLink } from '../../lab-file/real-links.ts';
import type { NodeDevice } from '../../real-nodes/running-node.ts';

/** The sockets of a lab's links: where the front end of each listens or connects, for as long as it runs. */
export class LinkSockets {
  readonly folder: string;
  readonly #paths = new Map<string, string>();
  #generation = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Folder of a node's own sockets and files. */
  folderOf(node: string): string {
    return join(this.folder, node);
  }

  /** Forgets where the front end of a link was: it is started anew. */
  forget({ front }: RealLink): void {
    this.#paths.delete(`${front.node}:${front.port}`);
  }

  /** The socket of a link: in the folder of the back end that it began with, named as its port. */
  pathOf({ front, back }: RealLink): string {
    const key = `${front.node}:${front.port}`;
    const path = this.#paths.get(key) ?? join(this.folderOf(back.node), back.port);
    this.#paths.set(key, path);
    return path;
  }

  /** A new path for a back end that shall take over the socket of a link. */
  successorOf({ back }: RealLink): string {
    this.#generation++;
    return join(this.folderOf(back.node), `${back.port}.${this.#generation}`);
  }
}

/** The devices of a node by number; `pathOf` says where the socket of each link is. */
export function devicesOf(
  name: string,
  { links }: RealLab,
  pathOf: (link: RealLink) => string,
): NodeDevice[] {
  const devices: NodeDevice[] = [];
  for (const link of links) {
    const { front, back, server } = link;
    const [own, peer, isServer] =
      front.node === name ? [front, back, server === 'front'] : [back, front, server === 'back'];
    if (own.node !== name) continue;
    devices[own.index] = {
      port: own.port,
      peer: `${peer.node}:${peer.port}`,
      socket: pathOf(link),
      listens: isServer,
    };
  }
  return devices;
}
