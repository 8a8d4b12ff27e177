import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, loadPackageDefinition, makeClientConstructor, type ServiceError } from '@grpc/grpc-js';
import {
  AddressError,
  ContractError,
  createClient,
  createGrpcTransport,
  grpcDefinition,
  guestV1,
  implementLifecycle,
  serveGrpc,
} from '@vhostlab/contracts';
import { service as healthService } from 'grpc-health-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EchoService, type SayResponse } from './gen/vhostlab/test/v1/echo_pb.ts';
import { echoImplementation } from './support/echo.ts';
import { listServices, symbolFiles } from './support/reflection-client.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vhostlab-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function refusal(listen: string): Promise<AddressError> {
  const error = await serveGrpc({ listen, implementations: [] }).then(
    () => new Error('it listens'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AddressError);
  return error as AddressError;
}

describe('health', () => {
  it('answers for the server and each service, and NOT_SERVING when told', async () => {
    const server = await serveGrpc({ listen: '127.0.0.1:0', implementations: [echoImplementation()] });
    const Health = makeClientConstructor(healthService, 'Health');
    const client = new Health(server.address, credentials.createInsecure());
    const check = (service: string): Promise<string> =>
      new Promise((resolve, reject) => {
        client.check!({ service }, (error: ServiceError | null, answer: { status: string }) =>
          error === null ? resolve(answer.status) : reject(error),
        );
      });
    expect(await check('')).toBe('SERVING');
    expect(await check('vhostlab.test.v1.EchoService')).toBe('SERVING');
    await expect(check('vhostlab.test.v1.Other')).rejects.toThrow('Health status unknown');
    server.setServing(false);
    expect(await check('vhostlab.test.v1.EchoService')).toBe('NOT_SERVING');
    client.close();
    await server.close(100);
  });
});

describe('reflection', () => {
  it('lists the services and gives their files with imports', async () => {
    const server = await serveGrpc({ listen: '127.0.0.1:0', implementations: [echoImplementation()] });
    expect(await listServices(server.address)).toEqual([
      'grpc.health.v1.Health',
      'vhostlab.test.v1.EchoService',
    ]);
    const files = await symbolFiles(server.address, 'vhostlab.test.v1.SayRequest');
    expect(files.map(({ name }) => name)).toEqual(['vhostlab/test/v1/echo.proto']);
    expect(files[0]!.service.map(({ name }) => name)).toEqual(['EchoService']);
    await server.close(100);
  });

  it('gives the files that a contract imports', async () => {
    const guest = implementLifecycle('guest', {
      hello: { instanceId: 'g', name: 'guest', clocks: [1] },
      description: { name: 'guest' },
      capabilities: () => [],
      validate: () => [],
      create: () => ({ plan: {}, statistics: () => ({}) }),
    });
    const server = await serveGrpc({ listen: '127.0.0.1:0', implementations: [guest] });
    const files = await symbolFiles(server.address, guestV1.GuestService.typeName);
    expect(files.map(({ name }) => name).sort()).toEqual([
      'vhostlab/common/v1/common.proto',
      'vhostlab/common/v1/plan.proto',
      'vhostlab/guest/v1/guest.proto',
    ]);
    await server.close(100);
  });
});

describe('grpc-js alone', () => {
  it('calls a service with the exported definition', async () => {
    const server = await serveGrpc({ listen: '127.0.0.1:0', implementations: [echoImplementation()] });
    const { Echo } = loadPackageDefinition({ Echo: grpcDefinition(EchoService) }) as unknown as {
      Echo: ReturnType<typeof makeClientConstructor>;
    };
    const client = new Echo(server.address, credentials.createInsecure());
    const answer = await new Promise<SayResponse>((resolve, reject) => {
      client.say!({ text: 'x' }, (error: ServiceError | null, value: SayResponse) =>
        error === null ? resolve(value) : reject(error),
      );
    });
    expect(answer.text).toBe('x');
    const texts: string[] = [];
    for await (const { text } of client.repeat!({ text: 'y', times: 2 })) {
      texts.push(text);
    }
    expect(texts).toEqual(['y', 'y']);
    client.close();
    await server.close(100);
  });
});

describe('addresses', () => {
  it('refuses a port in use in one sentence', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const address = holder.address();
    const port = typeof address === 'object' ? address!.port : 0;
    expect((await refusal(`127.0.0.1:${port}`)).message).toBe(
      `Address 127.0.0.1:${port} is in use; stop the process that listens there or choose another address.`,
    );
    await new Promise((resolve) => holder.close(resolve));
  });

  it('refuses a socket that somebody listens at and takes over one that nobody does', async () => {
    const listen = `unix:${join(folder, 's.sock')}`;
    const first = await serveGrpc({ listen, implementations: [echoImplementation()] });
    expect((await refusal(listen)).message).toContain('is in use');
    const transport = createGrpcTransport(listen);
    expect((await createClient(EchoService, transport).say({ text: 'still there' })).text).toBe(
      'still there',
    );
    transport.close();
    await first.close(100);
    // A killed process leaves its socket file behind.
    const script = `require('net').createServer().listen(${JSON.stringify(join(folder, 's.sock'))},()=>console.log('up'))`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    expect(existsSync(join(folder, 's.sock'))).toBe(true);
    const second = await serveGrpc({ listen, implementations: [] });
    await second.close(100);
  });

  it.each([
    ['nowhere', 'is not HOST:PORT'],
    ['127.0.0.1:70000', 'is not HOST:PORT'],
    ['unix:relative/path', 'needs an absolute path'],
    [`unix:/${'x'.repeat(120)}`, 'is longer than 107 bytes'],
    ['unix:/no/such/folder/s.sock', 'does not exist; create it first'],
    ['192.0.2.1:5000', 'is reached from other machines, which needs certificates; give --tls'],
    ['0.0.0.0:0', 'is reached from other machines'],
    ['[::]:0', 'is reached from other machines'],
  ])('refuses %s', async (listen, why) => {
    expect((await refusal(listen)).message).toContain(why);
  });

  it('says where nobody answers', async () => {
    const transport = createGrpcTransport('127.0.0.1:1');
    const error = await createClient(EchoService, transport)
      .say({}, { timeoutMs: 5000 })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ContractError);
    expect(error).toMatchObject({ code: 'UNAVAILABLE', recovery: 'reconnect' });
    expect((error as Error).message).toBe(
      'No service answers at 127.0.0.1:1 (connect ECONNREFUSED 127.0.0.1:1).',
    );
    await expect(transport.ready(50)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    transport.close();
  });
});

describe('the end of a server', () => {
  it('lets calls in flight end while it drains', async () => {
    const server = await serveGrpc({ listen: '127.0.0.1:0', implementations: [echoImplementation()] });
    const transport = createGrpcTransport(server.address);
    const client = createClient(EchoService, transport);
    await client.say({});
    const slow = client.say({ text: 'slow', delayMs: 100 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const closed = server.close(5000);
    expect((await slow).text).toBe('slow');
    await closed;
    await expect(client.say({})).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    transport.close();
  });

  it('cancels what is open after the grace time and removes the socket file', async () => {
    const path = join(folder, 'c.sock');
    const server = await serveGrpc({ listen: `unix:${path}`, implementations: [echoImplementation()] });
    const transport = createGrpcTransport(server.address);
    const call = createClient(EchoService, transport).chat();
    await call.send({ text: 'a' });
    await call.receive();
    const broken = call.receive().catch((reason: unknown) => reason);
    await server.close(20);
    expect(await broken).toBeInstanceOf(ContractError);
    expect(existsSync(path)).toBe(false);
    transport.close();
  });

  it('tells the program of its own faults only', async () => {
    const faults: string[] = [];
    const server = await serveGrpc({
      listen: '127.0.0.1:0',
      implementations: [echoImplementation()],
      onFault: (method, error) => faults.push(`${method.name}: ${(error as Error).message}`),
    });
    const transport = createGrpcTransport(server.address);
    const client = createClient(EchoService, transport);
    await client.say({ fail: 'NOT_FOUND' }).catch(() => undefined);
    await client.say({ fail: 'THROW' }).catch(() => undefined);
    expect(faults).toEqual(['Say: a fault of the program']);
    transport.close();
    await server.close(100);
  });

  it('breaks open calls with UNAVAILABLE when the peer is killed', async () => {
    const script = new URL('support/echo-process.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [script, `unix:${join(folder, 'k.sock')}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const transport = createGrpcTransport(`unix:${join(folder, 'k.sock')}`);
    const call = createClient(EchoService, transport).chat();
    await call.send({ text: 'a' });
    expect((await call.receive())?.text).toBe('you said a');
    const broken = call.receive().catch((reason: unknown) => reason);
    child.kill('SIGKILL');
    const error = await broken;
    expect(error).toBeInstanceOf(ContractError);
    expect(error).toMatchObject({ code: 'UNAVAILABLE', recovery: 'reconnect' });
    expect((error as Error).message).toMatch(/^The connection was lost to unix:/);
    transport.close();
  });
});
