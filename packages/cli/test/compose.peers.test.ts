import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { run, Scratch } from './command.ts';

const EXAMPLE = join(import.meta.dirname, '../../../examples/pvp.lab.yaml');

let scratch: Scratch;
beforeAll(async () => {
  scratch = new Scratch();
  const { status, stderr } = await run(
    scratch,
    ...['lab', 'export', 'compose', EXAMPLE, '--out', 'out', '--sweep', 'packets=100,200'],
  );
  expect([status, stderr]).toEqual([0, '']);
});
afterAll(() => scratch.remove());

/** What docker-compose makes of the exported file, variables filled in; it shows services of profiles that are off, too. */
function config(...options: string[]): { services: Record<string, Record<string, unknown>> } {
  const text = execFileSync('docker-compose', ['--ansi', 'never', ...options, 'config'], {
    cwd: scratch.file('out'),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return parse(text);
}

describe('lab export compose', () => {
  it('validates, and sends no spans anywhere', () => {
    const { services } = config();
    expect(Object.keys(services)).toHaveLength(7);
    expect(services.nic.environment).toEqual({ OTEL_EXPORTER_OTLP_ENDPOINT: '' });
  });

  it('validates with its profile', () => {
    const { services } = config('--profile', 'observability');
    expect(services.collector.image).toMatch(/^otel\/opentelemetry-collector:\d/);
    expect(services.jaeger.image).toMatch(/^jaegertracing\/all-in-one:\d/);
  });

  it('has a file of variables that names the collector to every service', () => {
    const { services } = config('--env-file', 'observability.env');
    for (const name of ['guest', 'backend', 'switch', 'nic', 'lab']) {
      expect(services[name].environment).toEqual({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      });
    }
  });

  it('has a lab for each value of a sweep', () => {
    const { services } = config('-f', 'docker-compose.sweep.yml');
    expect(Object.keys(services)).toEqual(['1-packets-100', '2-packets-200']);
  });
});
