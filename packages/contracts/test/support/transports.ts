import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createGrpcTransport,
  createLocalTransport,
  type Implementation,
  serveGrpc,
  type Transport,
} from '@vhostlab/contracts';

/** A transport to implementations, with what has to be closed after the test. */
export interface Joined {
  readonly transport: Transport;
  close(): Promise<void>;
}

/** The three ways to reach a service. */
export const WAYS: readonly {
  name: string;
  join(implementations: readonly Implementation[]): Promise<Joined>;
}[] = [
  { name: 'gRPC over TCP', join: (implementations) => overGrpc(implementations, '127.0.0.1:0') },
  {
    name: 'gRPC over a Unix socket',
    join: async (implementations) => {
      const folder = await mkdtemp(join(tmpdir(), 'vhostlab-test-'));
      const joined = await overGrpc(implementations, `unix:${join(folder, 's.sock')}`);
      return {
        transport: joined.transport,
        close: async () => {
          await joined.close();
          await rm(folder, { recursive: true });
        },
      };
    },
  },
  {
    name: 'local transport',
    join: async (implementations) => {
      const transport = createLocalTransport(implementations);
      return { transport, close: async () => transport.close() };
    },
  },
];

async function overGrpc(implementations: readonly Implementation[], listen: string): Promise<Joined> {
  const server = await serveGrpc({ listen, implementations });
  const transport = createGrpcTransport(server.address);
  return {
    transport,
    close: async () => {
      transport.close();
      await server.close(100);
    },
  };
}
