import type { RealLab } from '../lab-file/real-lab.ts';
import { backendFlow } from '../real-nodes/backend-node.ts';
import { UsageError } from '../scenario/options.ts';
import type { ContainedBackend } from './compose-vhost-user.ts';

/** What our back ends can have behind their rings in a container that may do nothing but run. */
const CONTAINED_PORTS = /^(drop|echo|macswap|switch|generate)(:|$)/;

/** The part of a lab on the real clock that an export puts into containers. */
export interface ContainedLab {
  backends: ContainedBackend[];
  /** Nodes that are programs of others: they run where the operator runs them, and meet the back ends at their sockets. */
  others: string[];
  /** Some node has its memory on huge pages. */
  hasHugePages: boolean;
}

/**
 * Our vhost-user back ends of a lab, with a socket for each of their links. Throws UsageError when there is none, and for
 * one that needs files, interfaces or a network of this machine.
 */
export function containedLab({ nodes, links }: RealLab): ContainedLab {
  const backends: ContainedBackend[] = [];
  for (const { name, ...node } of nodes) {
    if (node.kind !== 'backend') continue;
    const { queues, mode, port, plugin, flows = [], listen } = node.settings;
    const outside =
      plugin !== undefined
        ? 'a plugin'
        : listen !== undefined
          ? 'listen'
          : CONTAINED_PORTS.test(port)
            ? ''
            : port;
    if (outside !== '') {
      throw new UsageError(
        `${name} has ${outside}, which is outside of a container; give it one of the ports drop, echo, macswap, generate and switch, or run it here with vhostlab lab up`,
      );
    }
    const ends = links.filter(({ back }) => back.node === name).sort((a, b) => a.back.index - b.back.index);
    backends.push({
      name,
      sockets: ends.map(({ back }) => `${name}-${back.index}.sock`),
      options: [
        ...['--port', port, '--mode', mode, '--queues', String(queues)],
        ...flows.flatMap((flow) => ['--flow', backendFlow(flow)]),
      ],
      isEcho: port === 'echo',
    });
  }
  if (backends.length === 0) {
    throw new UsageError(
      'this lab has no back end of ours (kind: backend) that a container could be; its programs run with vhostlab lab up',
    );
  }
  return {
    backends,
    others: nodes.filter(({ kind }) => kind !== 'backend').map(({ name }) => name),
    hasHugePages: nodes.some(({ settings }) => 'hugepages' in settings && settings.hugepages === true),
  };
}
