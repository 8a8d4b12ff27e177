import { readdirSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';

/** What every benchmark file of this folder exports: it prints its figures and ends, or throws. */
export interface BenchModule {
  main(args: readonly string[]): Promise<void> | void;
}

const USAGE = 'npm run bench -- NAME [args]';

/** Names of the benchmarks of a folder, sorted: every NAME.ts next to this file except helpers (`_NAME.ts`). */
export function benchNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^[a-z][a-z0-9-]*\.ts$/.test(name) && name !== 'run.ts')
    .map((name) => name.slice(0, -'.ts'.length))
    .sort();
}

/** The machine in one line; figures mean nothing without it. */
export function machineLine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  return `machine: ${model}, ${availableParallelism()} CPUs, Node ${process.version}`;
}

async function run(args: readonly string[]): Promise<number> {
  const names = benchNames(import.meta.dirname);
  const [name, ...rest] = args;
  if (name === undefined || name === '--help') {
    console.log(`${USAGE}\nbenchmarks: ${names.join(', ') || 'none yet'}`);
    return 0;
  }
  if (!names.includes(name)) {
    console.error(`bench: there is no benchmark "${name}"; choose one of: ${names.join(', ') || 'none yet'}`);
    return 2;
  }
  console.log(machineLine());
  const bench = (await import(join(import.meta.dirname, `${name}.ts`))) as Partial<BenchModule>;
  if (typeof bench.main !== 'function') {
    throw new Error(`tools/bench/${name}.ts exports no main(args)`);
  }
  await bench.main(rest);
  return 0;
}

if (import.meta.main) {
  process.exitCode = await run(process.argv.slice(2));
}
