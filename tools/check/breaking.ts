import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './process.ts';

/** Contracts that plugins were built with: they never change (packages/contracts/frozen/README.md). */
const FROZEN = 'packages/contracts/frozen/v1';
const CONFIG = JSON.stringify({ version: 'v2', breaking: { use: ['FILE'] } });

/** What the contracts in `protos` break of the frozen ones, a line each. */
export async function breakingErrors(root: string, protos = 'proto'): Promise<string[]> {
  const buf = join(root, 'node_modules', '.bin', 'buf');
  const scratch = mkdtempSync(join(tmpdir(), 'vhostlab-breaking-'));
  try {
    const images: string[] = [];
    for (const folder of [protos, FROZEN]) {
      const image = join(scratch, `${images.length}.binpb`);
      const { status, output } = await runProgram(buf, ['build', folder, '-o', image], root);
      if (status !== 0) return output.split('\n');
      images.push(image);
    }
    const [now, frozen] = images as [string, string];
    const { status, output } = await runProgram(
      buf,
      ['breaking', now, '--against', frozen, '--config', CONFIG],
      root,
    );
    return status === 0 ? [] : output.split('\n');
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
