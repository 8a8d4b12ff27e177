import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { RealComparison } from '@vhostlab/lab';
import { vhostNetProblem } from '@vhostlab/vhost-driver';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const BIN = fileURLToPath(new URL('../bin/vhostlab.mjs', import.meta.url));

describe('vhostlab compare --clock real', () => {
  it('measures what this machine has, names what it lacks, and says that it was measured', async () => {
    const args = [
      'compare',
      '--clock',
      'real',
      '--workload',
      'rx,v2v,rr',
      '--repeat',
      '1',
      '--duration',
      '0.5',
      '--json',
    ];
    const { stdout } = await run(process.execPath, [BIN, ...args]);
    const { run: head, results } = JSON.parse(stdout) as RealComparison;
    expect(head).toMatchObject({ clock: 'real', repeat: 1, seconds: 0.5 });
    expect(head.machine).not.toBe('');
    const kernelProblem = vhostNetProblem('vhostlabtest');
    for (const { workload, backend, absent, throughput_mpps, latency_us } of results) {
      const isMeasured =
        backend === 'vhost-user' ||
        backend === 'user-interrupt' ||
        (backend === 'vhost-net' && workload === 'rx' && kernelProblem === undefined) ||
        (backend === 'sw-vdpa' && workload === 'v2v');
      expect([workload, backend, absent === undefined]).toEqual([workload, backend, isMeasured]);
      if (!isMeasured) continue;
      expect(throughput_mpps?.median).toBeGreaterThan(0);
      expect(latency_us !== undefined).toBe(workload === 'rr');
    }
    expect(results).toHaveLength(15);
  });
});
