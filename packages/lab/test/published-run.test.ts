import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCostProfile } from '@vhostlab/cost-profile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Comparison, compare } from '../src/compare/compare.ts';
import { RunFolder } from '../src/compare/run-folder.ts';
import { readLabFile } from '../src/lab-file/read.ts';
import { builtInCompareLab } from '../src/lab-file/write.ts';
import { type CompareOptions, parseCompareOptions } from '../src/scenario/options.ts';
import { openEmbeddedLab } from '../src/services/embedded.ts';
import type { Tracing } from '../src/services/serve.ts';

const workspace = new URL('../../..', import.meta.url);
const profileUrl = new URL('packages/cost-profile/profiles/reference.yaml', workspace);
const tracing: Tracing = {
  providerFor: () => undefined,
  takeSpans: () => ({ otlpJson: new Uint8Array(0), dropped: 0 }),
};
let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'vhostlab-test-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

async function run(name: string, options: CompareOptions): Promise<Comparison> {
  const lab = openEmbeddedLab(tracing);
  try {
    const profile = parseCostProfile(readFileSync(profileUrl, 'utf8'), 'reference.yaml');
    const folder = RunFolder.create(join(scratch, name), new Date(0));
    return await compare(options, { lab, tracing, profile, folder });
  } finally {
    await lab.close();
  }
}

describe('a real run', () => {
  it('holds against the published schema, and its lab file repeats it', async () => {
    const asked = {
      workloads: ['rr', 'tx'],
      backends: ['vhost-user'],
      packets: 64,
      size: 'imix',
      flows: 4,
      seed: 7,
    };
    const options = parseCompareOptions(asked);
    const comparison = await run('first', options);
    const schema = readFileSync(new URL('schemas/compare-v1.schema.json', workspace), 'utf8');
    const plain = JSON.parse(JSON.stringify(comparison));
    expect(z.fromJSONSchema(JSON.parse(schema)).safeParse(plain).error).toBeUndefined();
    expect(comparison.results.map(({ workload }) => workload)).toEqual(['rr', 'tx']);

    const { options: again } = readLabFile(builtInCompareLab(options, { name: 'first' }), 'lab.yaml');
    const repeated = await run('second', parseCompareOptions(again));
    expect(repeated.results).toEqual(comparison.results);
    expect(repeated.event_log_sha256).toBe(comparison.event_log_sha256);

    const other = await run('third', parseCompareOptions({ ...asked, flows: 5 }));
    expect(other.event_log_sha256).not.toBe(comparison.event_log_sha256);
  });
});
