import {
  backendV1,
  burstV1,
  type Client,
  createClient,
  type GrpcServer,
  type Implementation,
  implement,
  type ServerContext,
  serveGrpc,
  type Transport,
} from '@vhostlab/contracts';

type Backend = Client<typeof backendV1.BackendService>;

/**
 * Serves at `listen` what a plugin behind `transport` serves: every call is passed on, with its deadline, and so are
 * answers, errors and cancellations. Throws AddressError.
 */
export function serveProxy(listen: string, transport: Transport): Promise<GrpcServer> {
  return serveGrpc({ listen, implementations: [proxyBackend(transport), proxyBurst(transport)] });
}

function proxyBackend(transport: Transport): Implementation {
  const client = createClient(backendV1.BackendService, transport) as unknown as Record<
    string,
    (request: unknown, options: object) => Promise<never>
  >;
  const handlers = Object.fromEntries(
    backendV1.BackendService.methods.map(({ localName }) => [
      localName,
      (request: unknown, context: ServerContext) =>
        (client[localName] as (typeof client)[string])(request, passedOn(context)),
    ]),
  );
  return implement(backendV1.BackendService, handlers as unknown as Backend as never);
}

function proxyBurst(transport: Transport): Implementation {
  const client = createClient(burstV1.BurstService, transport);
  return implement(burstV1.BurstService, {
    async *exchange(requests, context) {
      const call = client.exchange({ signal: context.signal });
      const sent = (async () => {
        for await (const request of requests) await call.send(request);
        call.closeSend();
      })();
      // what failed in sending shows in the answers
      sent.catch(() => call.cancel());
      yield* call;
    },
  });
}

/** Deadline and cancellation of the caller. */
function passedOn({ deadlineAt, signal }: ServerContext): { signal: AbortSignal; timeoutMs?: number } {
  return deadlineAt === undefined ? { signal } : { signal, timeoutMs: Math.max(1, deadlineAt - Date.now()) };
}
