import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { benchNames } from './run.ts';

const RUN = join(import.meta.dirname, 'run.ts');

describe('bench dispatcher', () => {
  it('lists benchmarks, not itself, tests or helpers', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vhostlab-bench-'));
    try {
      for (const name of ['run.ts', 'run.test.ts', '_pairs.ts', 'sim.ts', 'alloc-free.ts', 'notes.md']) {
        writeFileSync(join(folder, name), '');
      }
      expect(benchNames(folder)).toEqual(['alloc-free', 'sim']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses an unknown name with status 2', () => {
    const { status, stderr } = spawnSync(process.execPath, [RUN, 'nosuch'], { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toContain('there is no benchmark "nosuch"');
  });
});
