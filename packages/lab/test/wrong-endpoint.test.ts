import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveGrpc } from '@vhostlab/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hostServices, LabFolder, readLabFile, Supervisor } from '../src/index.ts';
import { noTracing, profile, serveCommand } from './support/run.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What keeps a lab from being ready whose nic is at `address`. */
async function failure(address: string): Promise<string> {
  const file = join(folder, 'x.lab.yaml');
  const text = `schema: 1\nname: x\nsystem: {workloads: [pvp], traffic: {packets: 10}}\nroles: {backends: [vhost-user]}\nplacement: {nodes: {nic0: {endpoint: "${address}"}}}\n`;
  const labFolder = new LabFolder(folder, 'x');
  labFolder.make();
  const wanted = { file, text, vars: {}, description: readLabFile(text, file) };
  const supervisor = new Supervisor(wanted, {
    folder: labFolder,
    tracing: noTracing,
    command: serveCommand,
    security: {},
    remoteSecurity: {},
    loadProfile: async () => profile,
    versions: {},
    endpointReadyMs: 500,
  });
  const error = await supervisor.apply(wanted).catch((reason: unknown) => reason);
  expect((await supervisor.ended)?.message).toBe((error as Error).message);
  return (error as Error).message;
}

it('names node, address and mend when a service of another kind is there', async () => {
  const { implementations } = hostServices(['switch'], {
    instanceId: 'switch',
    processId: process.pid,
    tracing: noTracing,
    exit: () => undefined,
  });
  const server = await serveGrpc({ listen: '127.0.0.1:0', implementations });
  try {
    expect(await failure(server.address)).toBe(
      `no service nic listens at ${server.address}, but something else; start one there with vhostlab serve nic --listen ${server.address}, or change its address in the lab file`,
    );
  } finally {
    await server.close(0);
  }
});

it('names node, address and mend when something else is there', async () => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    expect(await failure(`127.0.0.1:${port}`)).toMatch(
      new RegExp(
        `^service nic does not answer at 127\\.0\\.0\\.1:${port}; start it there with vhostlab serve nic`,
      ),
    );
  } finally {
    server.close();
  }
});
