import { type Reactor, UnixSocket } from '@vhostlab/host';
import { FrontendSession, HostSocket } from '@vhostlab/vhost-user';
import { wantedFeatures } from '../feature-choice.ts';
import type { Settings } from '../options.ts';
import type { BackendSession, BackendSource } from './backend.ts';
import { agree, begin, stopRings } from './handshake.ts';
import { connectToBackends, listenForBackends } from './link.ts';

/** The vhost-user back ends at the socket of the settings. Throws a FrontendError when nothing can listen there. */
export function socketBackends(settings: Settings, reactor: Reactor): BackendSource {
  const { socketPath, server, onEvent } = settings;
  const link = server
    ? listenForBackends(socketPath, reactor, onEvent)
    : connectToBackends(socketPath, reactor);
  return {
    async next(timeoutMs) {
      const socket = await link.next(timeoutMs);
      return socket === undefined ? undefined : backendOf(openSession(socket, settings, reactor), settings);
    },
    close: () => link.close(),
  };
}

function openSession(socket: HostSocket, settings: Settings, reactor: Reactor): FrontendSession {
  const { replyTimeoutMs, observer } = settings;
  return new FrontendSession(socket, {
    features: wantedFeatures(settings).toBigInt(),
    timeoutMs: replyTimeoutMs,
    observer,
    makeChannel: () => {
      const [near, far] = UnixSocket.pair();
      return { near: new HostSocket(near, reactor), far: far.fd };
    },
    requests: {
      iotlb: async () => 'this guest has no IOMMU',
      configChanged: async () => null,
    },
  });
}

function backendOf(session: FrontendSession, settings: Settings): BackendSession {
  return {
    finished: session.finished,
    messages: session,
    agree: (before) => agree(session, settings, before),
    handInflight: (region) => region.hand(session, 2 * settings.queues, settings.queueSize),
    begin: (memory, rings, bases, events) => begin(session, memory, rings, bases, events),
    stopRings: (rings) => stopRings(session, rings),
    close: (text) => session.close(text),
  };
}
