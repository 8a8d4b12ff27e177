import type { RealNode } from '../lab-file/real-schema.ts';
import { BackendNode } from './backend-node.ts';
import { OvsNode } from './ovs-node.ts';
import { QemuNode } from './qemu-node.ts';
import type { NodePlace, RunningNode } from './running-node.ts';
import { TestpmdNode } from './testpmd-node.ts';

/** Makes a node of its kind; nothing is started yet. */
export function makeNode(node: RealNode, place: NodePlace): RunningNode {
  switch (node.kind) {
    case 'qemu':
      return new QemuNode(node.settings, place);
    case 'testpmd':
      return new TestpmdNode(node.settings, place);
    case 'ovs':
      return new OvsNode(node.settings, place);
    case 'backend':
      return new BackendNode(node.settings, place);
  }
}
