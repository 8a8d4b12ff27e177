import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { breakingErrors } from './breaking.ts';
import { messageErrors } from './commit-message.ts';
import { cycleErrors } from './cycles.ts';
import { determinismErrors, directionErrors } from './direction.ts';
import { dependencyErrors, longFiles, readmeErrors } from './manifests.ts';
import { runProgram } from './process.ts';
import { readSourceGraph, type SourceGraph } from './source-graph.ts';

/** What a step found: it failed if there is any error; notes never fail it. */
export interface Findings {
  readonly errors: readonly string[];
  readonly notes?: readonly string[];
}

/** One named check. */
export interface Step {
  readonly name: string;
  run(): Promise<Findings>;
}

/** Every check of the workspace at `root`, in the order in which results are printed. */
export function workspaceSteps(root: string): Step[] {
  let graph: SourceGraph | undefined;
  const onGraph = (name: string, inspect: (graph: SourceGraph) => string[]): Step => ({
    name,
    run: async () => {
      graph ??= readSourceGraph(root);
      return { errors: inspect(graph) };
    },
  });
  return [
    program(root, 'format-lint', 'biome', ['ci', '--colors=off', '--max-diagnostics=30', '.']),
    program(root, 'types', 'tsc', [
      '--noEmit',
      '-p',
      'tsconfig.json',
      '--pretty',
      'false',
      '--incremental',
      '--tsBuildInfoFile',
      'node_modules/.cache/vhostlab-check.tsbuildinfo',
    ]),
    onGraph('direction', directionErrors),
    onGraph('determinism', determinismErrors),
    onGraph('cycles', cycleErrors),
    onGraph('readme', readmeErrors),
    onGraph('dependencies', dependencyErrors),
    {
      name: 'file-size',
      run: async () => {
        graph ??= readSourceGraph(root);
        return { errors: [], notes: longFiles(graph) };
      },
    },
    whenPresent(root, 'tools/gen/run.ts', {
      name: 'generated',
      run: () => findings(root, process.execPath, ['tools/gen/run.ts', '--check']),
    }),
    whenPresent(root, 'buf.yaml', program(root, 'buf-lint', 'buf', ['lint'])),
    whenPresent(root, 'buf.yaml', {
      name: 'buf-breaking',
      run: async () => ({ errors: await breakingErrors(root) }),
    }),
    whenPresent(root, '.git', {
      name: 'commit-message',
      run: async () => {
        const { status, output } = await runProgram('git', ['log', '-1', '--format=%B'], root);
        return { errors: status === 0 ? messageErrors(output) : [output] };
      },
    }),
  ];
}

function program(root: string, name: string, binary: string, args: readonly string[]): Step {
  return { name, run: () => findings(root, join(root, 'node_modules', '.bin', binary), args) };
}

async function findings(root: string, command: string, args: readonly string[]): Promise<Findings> {
  const { status, output } = await runProgram(command, args, root);
  if (status === 0) {
    return { errors: [] };
  }
  return { errors: output === '' ? [`${command} ended with status ${status}`] : output.split('\n') };
}

function whenPresent(root: string, path: string, step: Step): Step {
  if (existsSync(join(root, path))) {
    return step;
  }
  return { name: step.name, run: async () => ({ errors: [], notes: [`not run: there is no ${path}`] }) };
}
