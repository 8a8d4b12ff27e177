import { existsSync } from 'node:fs';
import { createGrpcTransport, lifecycleClient, type Role } from '@vhostlab/contracts';
import { expect } from 'vitest';
import { lives, type Running, type Scratch, type ServiceProcess, servicesOf, start } from './command.ts';

/** Starts a run in processes that goes on for minutes and waits until packets flow. */
export async function startLong(
  scratch: Scratch,
  out: string,
): Promise<{ running: Running; services: ServiceProcess[] }> {
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

/** Kills one service of a run in processes and expects the run to end soon, naming it and leaving no process behind. */
export async function expectNamedWhenKilled(scratch: Scratch, role: Role): Promise<void> {
  const out = `killed-${role}`;
  const { running, services } = await startLong(scratch, out);
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
}
