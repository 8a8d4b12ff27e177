import { existsSync } from 'node:fs';
import { createGrpcTransport, lifecycleClient } from '@vhostlab/contracts';
import { ROLES } from '@vhostlab/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lives, type Running, run, Scratch, type ServiceProcess, servicesOf, start } from './command.ts';

let scratch: Scratch;
beforeAll(() => {
  scratch = new Scratch();
});
afterAll(() => scratch.remove());

/** Starts a run in processes that goes on for minutes and waits until packets flow. */
async function startLong(out: string): Promise<{ running: Running; services: ServiceProcess[] }> {
  const running = start(
    scratch,
    ...['compare', '--placement', 'process', '--packets', '10000000', '--workload', 'pvp'],
    ...['--backends', 'vhost-user', '--samples', '0', '--out', out, '--json'],
  );
  await expect.poll(() => servicesOf(running.pid).length, { timeout: 40_000, interval: 100 }).toBe(4);
  const services = servicesOf(running.pid);
  const nic = services.find(({ role }) => role === 'nic')?.address ?? '';
  const delivered = async (): Promise<bigint> => {
    // a socket that is not there yet would make gRPC wait
    if (!existsSync(nic.replace('unix:', ''))) return 0n;
    const transport = createGrpcTransport(nic);
    try {
      const { counters } = await lifecycleClient('nic', transport).getStatistics('pvp-vhost-user');
      return counters.reduce((sum, { name, value }) => sum + (name === 'frames.delivered' ? value : 0n), 0n);
    } catch {
      return 0n;
    } finally {
      transport.close();
    }
  };
  await expect.poll(delivered, { timeout: 40_000, interval: 100 }).toBeGreaterThan(100n);
  return { running, services };
}

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

  it.each(ROLES)('ends with status 3 and names %s when that is killed', async (role) => {
    const out = `killed-${role}`;
    const { running, services } = await startLong(out);
    const victim = services.find((service) => service.role === role) as ServiceProcess;
    const killedAtMs = performance.now();
    process.kill(victim.pid, 'SIGKILL');
    expect(await running.exited).toBe(3);
    expect(performance.now() - killedAtMs).toBeLessThan(5000);
    const sentence = `service ${role} (process ${victim.pid}) was ended by SIGKILL; the run is incomplete`;
    expect(running.stdout()).toBe('');
    expect(running.stderr().trimEnd().split('\n').at(-1)).toBe(`vhostlab: ${sentence}`);
    expect(scratch.json(out, 'run.json')).toMatchObject({ state: 'incomplete', error: sentence });
    expect(services.filter(({ pid }) => lives(pid))).toEqual([]);
    expect(scratch.leftovers()).toEqual([]);
  });

  it('ends with status 130 on SIGINT and takes its services along', async () => {
    const { running, services } = await startLong('interrupted');
    // as a terminal does: to the whole group
    process.kill(-running.pid, 'SIGINT');
    expect(await running.exited).toBe(130);
    expect(running.stderr().trimEnd().split('\n').at(-1)).toBe('vhostlab: interrupted');
    expect(scratch.json('interrupted', 'run.json')).toMatchObject({
      state: 'incomplete',
      error: 'interrupted',
    });
    expect(services.filter(({ pid }) => lives(pid))).toEqual([]);
    expect(scratch.leftovers()).toEqual([]);
  });

  it('leaves no service behind when it is killed itself', async () => {
    const { running, services } = await startLong('gone');
    process.kill(running.pid, 'SIGKILL');
    await expect(running.exited).rejects.toThrow('SIGKILL');
    await expect.poll(() => services.filter(({ pid }) => lives(pid)), { timeout: 20_000 }).toEqual([]);
    expect(scratch.json('gone', 'run.json').state).toBe('incomplete');
  });
});
