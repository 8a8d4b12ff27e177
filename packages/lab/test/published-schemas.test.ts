import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Comparison } from '../src/compare/compare.ts';
import type { Result } from '../src/compare/result.ts';
import { comparisonSchema, type resultSchema } from '../src/compare/result-schema.ts';
import { type RunFile, runFileSchema } from '../src/compare/run-file-schema.ts';
import { publishedSchemas } from '../src/lab-file/published.ts';
import { loadLabFile } from '../src/lab-file/read.ts';
import { builtInCompareLab } from '../src/lab-file/write.ts';
import { parseCompareOptions } from '../src/scenario/options.ts';

const workspace = new URL('../../..', import.meta.url);
const examples = readdirSync(new URL('examples', workspace)).filter((name) => name.endsWith('.lab.yaml'));

/** A checker made of the committed file alone, as any other reader of JSON Schemas would make one. */
function published(name: string): z.ZodType {
  const text = readFileSync(new URL(`schemas/${name}.schema.json`, workspace), 'utf8');
  return z.fromJSONSchema(JSON.parse(text));
}

const comparison: Comparison = {
  run: {
    id: '20250101-120000',
    clock: 'virtual',
    profile: 'reference',
    seed: 1,
    placement: 'embedded',
    packets: { pvp: 400_000 },
  },
  results: [
    {
      workload: 'pvp',
      backend: 'vhost-net',
      clock: 'virtual',
      throughput_mpps: 0.9,
      throughput_gbps: 0.4608,
      latency_us: { p50: 20.1, p90: 25, p99: 31.5, max: 40 },
      host_cores: 1.6,
      guest_cores: 1,
      per_packet: { kicks: 0.1, calls: 0, exits: 0.1, copies: 2, copied_bytes: 120, dma_bytes: 152 },
      frames: { offered: 400_000, delivered: 399_000, dropped: 1000 },
      drops: { 'nic-rx-ring-full': 1000 },
      frames_sha256: 'a'.repeat(64),
      bottleneck: { core: 'host.vhost0.0', stage: 'vhost.copy' },
      stages: [{ stage: 'vhost.copy', account: 'host', ns_per_packet: 41.5 }],
      not_applicable: [{ option: '--ring packed', reason: 'not applicable: vhost-net has no packed rings' }],
    },
  ],
  event_log_sha256: 'b'.repeat(64),
};

const runFile: RunFile = {
  schema: 1,
  id: '20250101-120000',
  state: 'complete',
  started_at: '2025-01-01T12:00:00.000Z',
  finished_at: '2025-01-01T12:00:09.000Z',
  command_line: ['compare', '--ring', 'packed'],
  versions: { vhostlab: '0.1.0', node: 'v24.0.0' },
  options: parseCompareOptions({ ring: 'packed' }),
  profile: 'reference',
  results: 8,
  event_log_sha256: 'b'.repeat(64),
};

describe('published schemas', () => {
  it('carry draft, address and title', () => {
    for (const { file, schema } of publishedSchemas()) {
      expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
      expect(schema.$id).toBe(`https://vhostlab.dev/schemas/${file}`);
      expect(schema.title).toMatch(/vhostlab/);
    }
  });

  it('describe the output of compare as the program types it', () => {
    type Row = Extract<z.infer<typeof resultSchema>, { plugin: unknown }>;
    expectTypeOf<Row>().toExtend<Result>();
    expectTypeOf<keyof Result>().toEqualTypeOf<keyof Row>();
    type Wide = 'workload' | 'backend' | 'plugin';
    expectTypeOf<Omit<Row, Wide>>().toEqualTypeOf<Omit<Result, Wide>>();
    expectTypeOf<z.infer<typeof comparisonSchema>['run']>().toEqualTypeOf<Comparison['run']>();
    expectTypeOf<keyof z.infer<typeof comparisonSchema>>().toEqualTypeOf<keyof Comparison>();
    expect(published('compare-v1').parse(comparison)).toEqual(comparison);
    expect(comparisonSchema.parse(comparison)).toEqual(comparison);
  });

  it.each([
    ['a field too many', { ...comparison, extra: 1 }],
    ['a field too few', { ...comparison, event_log_sha256: undefined }],
    ['no hash', { ...comparison, event_log_sha256: 'b'.repeat(63) }],
    ['another clock', { ...comparison, run: { ...comparison.run, clock: 'real' } }],
    ['part of a frame', { ...comparison, run: { ...comparison.run, packets: { pvp: 1.5 } } }],
    [
      'a plugin row that does not say which',
      { ...comparison, results: [{ ...comparison.results[0], backend: 'mine', plugin: { name: 'mine' } }] },
    ],
    ['an unknown back end', { ...comparison, results: [{ ...comparison.results[0], backend: 'vduse' }] }],
  ])('refuse output with %s', (_, output) => {
    const plain = JSON.parse(JSON.stringify(output));
    expect(published('compare-v1').safeParse(plain).success).toBe(false);
    expect(comparisonSchema.safeParse(plain).success).toBe(false);
  });

  it('describe run.json in each of its states', () => {
    const { finished_at, results, event_log_sha256, ...started } = {
      ...runFile,
      state: 'incomplete' as const,
    };
    const failed = { ...started, finished_at, error: 'service backend was lost during the run' };
    for (const file of [runFile, started, failed]) {
      expect(published('run-v1').safeParse(file).error).toBeUndefined();
      expect(runFileSchema.safeParse(file).error).toBeUndefined();
    }
    for (const file of [
      { ...runFile, schema: 2 },
      { ...runFile, state: 'done' },
      { ...runFile, options: { ...runFile.options, queues: 0 } },
      { ...runFile, options: { ...runFile.options, quues: 1 } },
    ]) {
      expect(published('run-v1').safeParse(file).success).toBe(false);
    }
  });

  it('describe a lab file that the program writes', () => {
    const text = builtInCompareLab(parseCompareOptions({ packets: 7, flowTable: ['actions=NORMAL'] }), {
      name: 'x',
    });
    expect(published('lab-v1').safeParse(parse(text)).error).toBeUndefined();
  });
});

describe('the published schema of lab files', () => {
  it.each([
    ['nodes and links', 'system: {nodes: {n: {kind: nic, rateGbps: 10}}, links: [["a:vq", "b:vq"]]}', true],
    ['a kind that there is not', 'system: {nodes: {n: {kind: router}}}', false],
    ['a link of three ends', 'system: {links: [["a:vq", "b:vq", "c:vq"]]}', false],
    ['a variable for a number', 'system: {traffic: {packets: "${packets}"}}', true],
    ['a variable for a choice', 'system: {kinds: {guest: {ring: "${ring:=packed}"}}}', true],
    ['text for a number', 'system: {traffic: {packets: many}}', false],
    ['placement node by node', 'placement: {default: process, nodes: {nic0: {endpoint: "h:1"}}}', true],
    ['a placement that there is not', 'placement: {nodes: {nic0: cloud}}', false],
    ['a variable for the version', 'schema: "${x}"', false],
  ])('knows %s', (_, text, valid) => {
    const file = { schema: 1, name: 'x', ...parse(text) };
    expect(published('lab').safeParse(file).success).toBe(valid);
  });
});

describe('examples', () => {
  it('are there', () => {
    expect(examples).toEqual(expect.arrayContaining(['pvp.lab.yaml', 'rr.lab.yaml']));
  });

  it.each(examples)('%s holds against the published schema and is read', (name) => {
    const url = new URL(`examples/${name}`, workspace);
    const file = parse(readFileSync(url, 'utf8'));
    for (const schema of ['lab', 'lab-v1']) {
      expect(published(schema).safeParse(file).error).toBeUndefined();
      expect(published(schema).safeParse({ ...file, sistem: {} }).success).toBe(false);
    }
    const lab = loadLabFile(url.pathname);
    expect(`${lab.name}.lab.yaml`).toBe(name);
    if (lab.real !== undefined) {
      expect(lab.real.nodes.map(({ name: node }) => node)).toEqual(Object.keys(file.system.nodes));
      return;
    }
    expect(parseCompareOptions(lab.options).backends).toEqual(file.roles.backends);
    if (lab.pcap !== undefined) expect(readFileSync(lab.pcap).length).toBeGreaterThan(0);
  });
});
