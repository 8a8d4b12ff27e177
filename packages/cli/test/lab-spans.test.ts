import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { run, Scratch } from './command.ts';
import { LabRig } from './lab-rig.ts';

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => {
  vi.unstubAllEnvs();
  scratch.remove();
});

it('a lab and its services send their spans to the collector that the environment names', async () => {
  const bodies: string[] = [];
  const collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push(`${request.url} ${Buffer.concat(chunks).toString('latin1')}`);
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://127.0.0.1:${(collector.address() as AddressInfo).port}`);
  const file = new LabRig(scratch).file('one', '{default: embedded, nodes: {nic0: process}}');
  const { status, stderr } = await run(scratch, 'lab', 'up', file, '--foreground', '--wait');
  collector.close();
  collector.closeAllConnections();
  expect([status, stderr]).toEqual([0, '']);
  expect(bodies.every((body) => body.startsWith('/v1/traces '))).toBe(true);
  const spans = bodies.join('\n');
  for (const service of ['guest', 'backend', 'switch', 'nic', 'lab']) {
    expect(spans).toContain(`"key":"service.name","value":{"stringValue":"${service}"}`);
  }
  expect(spans).toContain('scenario pvp/vhost-user');
});
