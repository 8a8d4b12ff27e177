import { ROLES } from '@vhostlab/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, Scratch } from './command.ts';

let scratch: Scratch;
beforeAll(() => {
  scratch = new Scratch();
});
afterAll(() => scratch.remove());

describe('compare --placement process', () => {
  it('writes the log of an embedded run, and one trace over all services', async () => {
    const few = ['compare', '--packets', '40', '--backends', 'vhost-user,vdpa', '--json'];
    const apart = await run(scratch, ...few, '--placement', 'process', '--out', 'apart');
    expect(apart.status).toBe(0);
    expect(apart.stderr).not.toContain('vhostlab: ');
    const together = JSON.parse((await run(scratch, ...few, '--out', 'together')).stdout);
    const printed = JSON.parse(apart.stdout);
    expect(printed.run).toEqual({ ...together.run, id: 'apart', placement: 'process' });
    expect(printed.results).toEqual(together.results);
    expect(printed.event_log_sha256).toBe(together.event_log_sha256);

    interface Span {
      traceId: string;
      spanId: string;
      parentSpanId?: string;
      name: string;
    }
    const { resourceSpans } = scratch.json('apart', 'otlp.json') as {
      resourceSpans: {
        resource: { attributes: { key: string; value: { stringValue: string } }[] };
        scopeSpans: { spans: Span[] }[];
      }[];
    };
    const spansOf = new Map<string, Span[]>();
    for (const { resource, scopeSpans } of resourceSpans) {
      const name = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
      spansOf.set(name, [...(spansOf.get(name) ?? []), ...scopeSpans.flatMap(({ spans }) => spans)]);
    }
    expect([...spansOf.keys()].sort()).toEqual(['backend', 'guest', 'lab', 'nic', 'switch']);
    const all = [...spansOf.values()].flat();
    expect(new Set(all.map(({ traceId }) => traceId)).size).toBe(1);
    const ids = new Set(all.map(({ spanId }) => spanId));
    const roots = all.filter(({ parentSpanId }) => parentSpanId === undefined || parentSpanId === '');
    expect(roots.map(({ name }) => name)).toEqual(['vhostlab compare']);
    for (const role of ROLES) {
      const spans = spansOf.get(role) ?? [];
      expect(
        spans.some(({ name }) => name.endsWith('/Create')),
        role,
      ).toBe(true);
      expect(
        spans.every(({ parentSpanId }) => ids.has(parentSpanId ?? '')),
        role,
      ).toBe(true);
    }
    expect(scratch.leftovers()).toEqual([]);
  });
});
