import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:http2';
import { connect as openSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createGrpcTransport,
  type GrpcServer,
  lifecycleClient,
  loadSecurity,
  type Security,
  serveGrpc,
} from '@vhostlab/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostServices, LabFolder, newToken, RunFolder, readLabFile } from '../src/index.ts';
import { makeCertificates } from '../src/operate/certs.ts';
import { noTracing } from './support/run.ts';

const GIBIBYTE = 2 ** 30;
const localToken = newToken();

let folder: string;
let ours: Security;
let others: Security;
/** A service behind TLS at TCP, and one at a socket. */
let remote: GrpcServer;
let local: GrpcServer;

const certificates = (lab: string, holder: string): Security =>
  loadSecurity({ tokenFile: join(folder, lab, 'token'), tlsFolder: join(folder, lab, holder) });
const hosted = () =>
  hostServices(['nic'], {
    instanceId: 'nic',
    processId: process.pid,
    tracing: noTracing,
    exit: () => undefined,
  });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
  for (const lab of ['ours', 'others']) await makeCertificates(join(folder, lab), 1, new Date());
  ours = certificates('ours', 'lab');
  others = certificates('others', 'lab');
  remote = await serveGrpc({
    listen: '127.0.0.1:0',
    implementations: hosted().implementations,
    security: certificates('ours', 'nic'),
  });
  local = await serveGrpc({
    listen: `unix:${join(folder, 'nic.sock')}`,
    implementations: hosted().implementations,
    security: { token: localToken },
  });
});
afterAll(async () => {
  await Promise.all([remote.close(0), local.close(0)]);
  rmSync(folder, { recursive: true });
});

/** What becomes of a call with such secrets. */
async function call(security: Security, serverName = 'nic'): Promise<string> {
  const transport = createGrpcTransport(remote.address, { security, serverName });
  try {
    await lifecycleClient('nic', transport).describe({ timeoutMs: 5_000 });
    return 'answered';
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    transport.close();
  }
}

describe('a listener at TCP', () => {
  it.each(['0.0.0.0:0', '[::]:0', '192.0.2.1:0', 'example.org:0'])(
    'off loopback needs certificates: %s',
    async (listen) => {
      await expect(
        serveGrpc({ listen, implementations: [], security: { token: newToken() } }),
      ).rejects.toThrow(/is reached from other machines, which needs certificates; give --tls FOLDER/);
    },
  );

  it('answers who has a certificate of its lab and the token, and nobody else', async () => {
    const { token, tls } = ours;
    expect(await call(ours)).toBe('answered');
    expect(await call({ tls, token: newToken() } as Security)).toBe('UNAUTHENTICATED');
    expect(await call({ tls } as Security)).toBe('UNAUTHENTICATED');
    expect(await call({ token } as Security)).toBe('UNAVAILABLE');
    expect(await call({ ...others, token } as Security)).toBe('UNAVAILABLE');
    // a server with a certificate of the lab, and not of the role that is called
    expect(await call(ours, 'backend')).toBe('UNAVAILABLE');
  });
});

describe('a service', () => {
  it('refuses every method of every contract without the token', async () => {
    const { implementations } = hosted();
    const methods = implementations.flatMap(({ service }) =>
      service.methods.map(({ name }) => `/${service.typeName}/${name}`),
    );
    expect(methods.length).toBeGreaterThan(15);
    for (const path of methods) {
      expect([path, (await raw(path, Buffer.alloc(5))).status]).toEqual([path, '16']);
    }
  });

  it('has a socket that its owner alone may open', () => {
    expect(statSync(join(folder, 'nic.sock')).mode & 0o777).toBe(0o600);
  });

  it('refuses a message of 1 GiB in a sentence, and takes none of it', async () => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(GIBIBYTE, 1);
    const before = process.memoryUsage().rss;
    const { status, message } = await raw('/vhostlab.nic.v1.NicService/Create', head, {
      token: localToken,
      mebibytes: 200,
    });
    expect([status, message]).toEqual(['8', expect.stringMatching(/larger than/)]);
    expect(process.memoryUsage().rss - before).toBeLessThan(GIBIBYTE / 4);
    expect((await raw('/grpc.health.v1.Health/Check', Buffer.alloc(5))).status).toBe('0');
  });
});

/** A call as bytes, with `mebibytes` behind the head as long as somebody takes them. */
async function raw(
  path: string,
  head: Buffer,
  { token = '', mebibytes = 0 } = {},
): Promise<{ status: string; message: string }> {
  const session = connect('http://localhost', {
    createConnection: () => openSocket(join(folder, 'nic.sock')),
  });
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(token === '' ? {} : { 'vhostlab-token': token }),
  });
  const ended = new Promise<Record<string, unknown>>((resolve, reject) => {
    stream.on('response', (headers) => headers['grpc-status'] !== undefined && resolve(headers));
    stream.on('trailers', resolve);
    stream.on('error', reject);
    session.on('error', reject);
  });
  stream.resume();
  stream.write(head);
  const chunk = Buffer.alloc(2 ** 20);
  for (let i = 0; i < mebibytes && !stream.writableEnded && !stream.destroyed; i++) {
    if (!stream.write(chunk)) {
      await Promise.race([
        new Promise((resolve) => stream.once('drain', resolve)),
        ended.catch(() => undefined),
      ]);
    }
  }
  if (mebibytes === 0) stream.end();
  const headers = await ended;
  session.destroy();
  return {
    status: String(headers['grpc-status']),
    message: decodeURIComponent(String(headers['grpc-message'] ?? '')),
  };
}

const OUT = ['../x', '..', 'a/../../x', '/etc/passwd', '.', '', '\0', 'x/../..'];

describe('a name from elsewhere', () => {
  it.each(OUT)('leads out of no folder of a lab or of a run: %j', (name) => {
    const labFolder = new LabFolder(folder, 'ours');
    const runFolder = RunFolder.create(join(folder, `run-${OUT.indexOf(name)}`), new Date());
    if (name !== '/etc/passwd') {
      expect(() => labFolder.file(name)).toThrow(/is not a file of the folder/);
      expect(() => labFolder.replace(`../${name}`, 'x')).toThrow();
      expect(() => runFolder.write(name, 'x')).toThrow(/is not a file of the folder/);
    } else expect(labFolder.file(name)).toBe(join(labFolder.path, 'etc/passwd'));
    expect(() => new LabFolder(folder, name)).toThrow('cannot be brought up');
  });

  it.each(OUT.filter((name) => name !== ''))('is no node and no end of a link: %j', (name) => {
    const nodes = JSON.stringify({ [name]: { kind: 'guest' } });
    expect(() =>
      readLabFile(`schema: 1\nname: x\nsystem: {workloads: [pvp], nodes: ${nodes}}\n`, 'x'),
    ).toThrow(/^x:3:/);
  });

  it.each(OUT)('is no instance of a service: %j', async (id) => {
    const { token } = ours;
    const transport = createGrpcTransport(remote.address, { security: ours, serverName: 'nic' });
    expect(token).toBeDefined();
    const nic = lifecycleClient('nic', transport);
    await nic
      .handshake({
        instanceId: 'x',
        name: 'x',
        version: { major: 0, minor: 0, patch: 0 },
        clocks: [1],
      } as never)
      .catch(() => undefined);
    await expect(
      nic.create({ id, configJson: '{}', clock: 1, seed: 1n, peers: [] } as never),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/INVALID_ARGUMENT|FAILED_PRECONDITION/),
    });
    transport.close();
  });
});
